"""A feature is one or more kinds of job with their routes and commands, as one value.

`service.wiring.features` lists all features. The application, the command line, the configuration and the scheduler
need only that list: each feature in it is served, submitted, configured and scheduled.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import typer
from fastapi import APIRouter

from service.api.status_board import Status
from service.archive.destination import Destination
from service.config.store import ConfigStore
from service.domain.addresses import AddressPolicy
from service.domain.endpoint import Endpoint
from service.jobs import Kinds
from service.jobs.kind import JobKind
from service.settings import Settings
from service.state.database import StateDatabase
from service.stores.influx.physical import PhysicalOpener
from service.stores.opener import Opener
from service.stores.protocol import Store


@dataclass(frozen=True)
class KindServices:
    """The services of the gateway that a kind of job may use.

    `store` is the served store, and `served_endpoint` is its endpoint. `open_store` connects to any endpoint whose
    address `addresses` allows. `open_scratch` makes an embedded store on a file for a while. `directory` holds files,
    and `archive` holds backups. `open_physical` hands out the files of the served InfluxDB; it is None without an
    operator token. `clock` gives seconds since 1970.
    """

    config: ConfigStore
    state: StateDatabase
    store: Store
    served_endpoint: Endpoint
    open_store: Opener
    open_scratch: Callable[[Path], AbstractContextManager[Store]]
    addresses: AddressPolicy
    directory: Path
    archive: Destination
    open_physical: PhysicalOpener | None
    clock: Callable[[], float]


@dataclass(frozen=True)
class Feature:
    """One or more kinds of job as the application sees them.

    `make` returns the kinds, mostly one. It opens nothing, starts nothing, and may raise ConfigurationError.
    The routes of `router` get a runnable from `parts_of(request).kinds.runnable(name, …)`. `commands` become
    `fluxgate NAME`. They use a running gateway, so they do not need what `make` returns. `status` is what the feature
    reports to monitoring; it may be slow, and may raise. So may `late_points`: how late the points of buckets of the
    served store were in the last days, in ns, where the feature has measured it.
    """

    name: str
    make: Callable[[Settings, KindServices], tuple[JobKind, ...]]
    router: APIRouter
    commands: typer.Typer
    status: Callable[[Kinds], Status] | None = None
    late_points: Callable[[Kinds], Mapping[str, int]] | None = None
