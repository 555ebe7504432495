"""Keys as an earlier version made them, which are in databases still.

They are limited to buckets, with scopes that reach past them.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from service.domain.access import Scope
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.tables import api_keys


def old_key(keys: KeyRing, state: StateDatabase, scopes: Iterable[Scope], buckets: Iterable[str]) -> str:
    """A key whose row holds `scopes` beside `buckets`."""
    key, record = keys.create("old", scopes)
    with state.write() as connection:
        connection.execute(sa.update(api_keys).where(api_keys.c.id == record.id).values(buckets=list(buckets)))
    return key
