"""What a configured source may name, and what a SQL source takes from the operator's settings."""

import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from service.config.token_variables import PREFIXED_ONLY, TokenVariables
from service.domain.addresses import AddressPolicy

ENTRY_POINTS = "fluxgate.sources"
"""The group of entry points in which installed packages name their sources."""


@dataclass(frozen=True)
class SqlDefaults:
    """The settings of a SQL source: each member is used where the configuration does not say another.

    `url` is DATABASE_URL, which the operator sets: any host and any file may stand in it.
    """

    url: str | None = field(default=None, repr=False)
    table: str | None = None
    schema: str | None = None
    sensor_column: str = "sensor"
    value_column: str = "value"
    timestamp_column: str = "timestamp"
    order_by: str | None = None
    zone: str | None = None
    unit: str | None = None
    settle: str = "0s"
    timeout: str = "60s"


def installed_sources() -> Iterable[importlib.metadata.EntryPoint]:
    """The sources that installed packages offer."""
    return importlib.metadata.entry_points(group=ENTRY_POINTS)


@dataclass(frozen=True)
class SourceRules:
    """`addresses`: those that a database named by configuration may have. `variables`: those that may name it.

    `installed`: the Python sources that may be named.
    """

    addresses: AddressPolicy = AddressPolicy.PRIVATE_TOO
    variables: TokenVariables = PREFIXED_ONLY
    sql: SqlDefaults = SqlDefaults()
    installed: Callable[[], Iterable[importlib.metadata.EntryPoint]] = installed_sources
