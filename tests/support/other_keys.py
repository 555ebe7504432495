"""A second key of a gateway that runs, for tests of what one key leaves to others."""

import time

from service.domain.access import Scope
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from tests.support.gateways import Gateway


def key_of_another(gateway: Gateway, *scopes: Scope) -> str:
    """Made as `fluxgate keys create` makes it, in the gateway's own state database."""
    state = StateDatabase.in_directory(gateway.log.parent)
    try:
        return KeyRing(state, None, time.time).create("another", scopes)[0]
    finally:
        state.close()
