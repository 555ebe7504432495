"""A feature: kinds of job that belong together, with everything that people see of them, as one value.

`service.wiring.features` lists them. That list is all that the application, the command line, the configuration and the
scheduler need: what stands in it is served, ordered, configured and scheduled.
"""

from collections.abc import Callable
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
    """What a kind of job may build on.

    `store`: the gateway's own, which is `served_endpoint` as an endpoint. `open_store` connects to any endpoint whose
    address `addresses` allows; `open_scratch` makes an embedded store on a file for a while. `directory`: where files
    are kept; `archive`: where backups lie. `open_physical` hands out the files of the gateway's own InfluxDB; None
    without an operator token. `clock` gives seconds since 1970.
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
    """`make` gives the kinds, mostly one; it opens nothing and starts nothing. Raises ConfigurationError.

    `router`: its routes, which find what runs a kind with `parts_of(request).kinds.runnable(name, …)`. `commands`: as
    `fluxgate NAME`; they work through a running gateway, so they need nothing that `make` makes. `status`:
    what it tells monitoring; it may take its time, and raise.
    """

    name: str
    make: Callable[[Settings, KindServices], tuple[JobKind, ...]]
    router: APIRouter
    commands: typer.Typer
    status: Callable[[Kinds], Status] | None = None
