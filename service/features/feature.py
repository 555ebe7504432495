"""A feature is a kind of job with its routes and commands, as one value.

`service.wiring.features` lists all features. The application, the command line, the configuration and the scheduler
need only that list: each feature in it is served, submitted, configured and scheduled.
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
    """The services of the gateway that a kind of job may use.

    `store` is the served store, and `served_endpoint` is its endpoint. `open_store` connects to any endpoint whose
    address `addresses` allows. `directory` holds files. `clock` gives seconds since 1970.
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
    """A kind of job as the application sees it.

    `make` returns the kind, whose name is `name`. It opens nothing, starts nothing, and may raise ConfigurationError.
    The routes of `router` get the runnable from `parts_of(request).kinds.runnable(name, …)`. `commands` become
    `fluxgate NAME`. They use a running gateway, so they do not need what `make` returns.
    """

    name: str
    make: Callable[[Settings, KindServices], JobKind]
    router: APIRouter
    commands: typer.Typer
