"""What a configured source may name, and what a SQL source takes from the operator's settings."""

import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from service.domain.addresses import AddressPolicy
from service.errors import InvalidParameter

ENTRY_POINTS = "fluxgate.sources"
"""The group of entry points in which installed packages name their sources."""


class SecretVariables(Protocol):
    """The variables of the environment that configuration may name. `service.config.token_variables` fits it."""

    def value(self, name: str, parameter: str, use: str = ...) -> str:
        """The value of the variable `name`. Raises InvalidParameter when it was not made for that, or is empty."""


class NoVariables:
    """Nothing may be named."""

    def value(self, name: str, parameter: str, use: str = "addresses of databases") -> str:
        raise InvalidParameter(parameter, f"{name} is no variable for {use}.")


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


NO_VARIABLES = NoVariables()


@dataclass(frozen=True)
class SourceRules:
    """`addresses`: those that a database named by configuration may have. `variables`: those that may name it.

    `installed`: the Python sources that may be named.
    """

    addresses: AddressPolicy = AddressPolicy.PRIVATE_TOO
    variables: SecretVariables = NO_VARIABLES
    sql: SqlDefaults = SqlDefaults()
    installed: Callable[[], Iterable[importlib.metadata.EntryPoint]] = installed_sources
