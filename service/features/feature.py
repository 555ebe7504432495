"""A feature: a kind of job with everything that people see of it, as one value.

`service.wiring.features` lists them. That list is all that the application, the command line, the configuration and the
scheduler need: what stands in it is served, ordered, configured and scheduled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer
from fastapi import APIRouter

from service.config.store import ConfigStore
from service.domain.addresses import AddressPolicy
from service.domain.endpoint import Endpoint
from service.jobs.kind import JobKind
from service.settings import Settings
from service.state.database import StateDatabase
from service.stores.opener import Opener
from service.stores.protocol import Store


@dataclass(frozen=True)
class KindServices:
    """What a kind of job may build on.

    `store`: the gateway's own, which is `served_endpoint` as an endpoint. `open_store` connects to any endpoint whose
    address `addresses` allows. `directory`: where files are kept. `clock` gives seconds since 1970.
    """

    config: ConfigStore
    state: StateDatabase
    store: Store
    served_endpoint: Endpoint
    open_store: Opener
    addresses: AddressPolicy
    directory: Path
    clock: Callable[[], float]


@dataclass(frozen=True)
class Feature:
    """`make` gives the kind, whose name is `name`; it opens nothing and starts nothing. Raises ConfigurationError.

    `router`: its routes, which find what runs the kind with `parts_of(request).kinds.runnable(name, …)`. `commands`: as
    `fluxgate NAME`; they work through a running gateway, so they need nothing that `make` makes.
    """

    name: str
    make: Callable[[Settings, KindServices], JobKind]
    router: APIRouter
    commands: typer.Typer
