"""Which databases may be connected to, and with which driver.

What the operator sets as DATABASE_URL may be any. A variable that configuration names holds an address too, and it is
judged like the address of any other server: by its host, and never a file.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from service.domain.addresses import AddressPolicy
from service.errors import AddressRefused, InvalidParameter
from service.sockets import Connector

_DRIVERS = {
    "postgres": ("postgresql+psycopg", "postgres"),
    "postgresql": ("postgresql+psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "mysql"),
    "mariadb": ("mariadb+pymysql", "mysql"),
    "mssql": ("mssql+pyodbc", "mssql"),
    "sqlite": ("sqlite", ""),
}
"""The driver of an address that names none, and the extra that installs it."""
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433}
_HARMLESS = frozenset(
    {
        *("sslmode", "sslrootcert", "application_name", "connect_timeout", "charset", "driver", "encrypt"),
        *("trustservercertificate", "ssl_ca", "ssl_verify_cert", "ssl_verify_identity", "channel_binding"),
    },
)
"""Members after the `?` that lead to no other host and no file of secrets."""


@dataclass(frozen=True)
class SqlAddress:
    """An address with its driver. `backend`: `postgresql`, `mysql`, `mariadb`, `mssql` or `sqlite`.

    `policy`: where the host may lead. `member`: what holds the address, as errors say it.
    """

    url: sa.URL
    backend: str
    policy: AddressPolicy
    member: str

    @property
    def extra(self) -> str:
        return _DRIVERS[self.backend][1]

    def __str__(self) -> str:
        """Host and database, without user and password."""
        if self.backend == "sqlite":
            return f"the file {self.url.database}"
        return f"{self.url.host}:{self.port}/{self.url.database}"

    @property
    def port(self) -> int:
        return self.url.port or _PORTS.get(self.backend, 0)

    def allowed_host(self) -> str | None:
        """The IP address to connect to, which is checked; None where the operator trusts the host as it is.

        Raises InvalidParameter: addresses may not lead there. OSError: the host has no address.
        """
        if self.policy is AddressPolicy.ANYWHERE:
            return None
        assert self.url.host is not None
        try:
            return Connector(self.policy).allowed_addresses(self.url.host, self.port)[0]
        except AddressRefused as refused:
            raise InvalidParameter(self.member, refused.message) from None


def sql_address(url: sa.URL, member: str, policy: AddressPolicy) -> SqlAddress:
    """Raises InvalidParameter for a database that is not supported, or that `policy` rules out by its form."""
    name, _, driver = url.drivername.partition("+")
    if name not in _DRIVERS:
        known = "postgresql, mysql, mariadb, mssql and sqlite"
        raise InvalidParameter(member, f"There is no support for {name[:50]!r} databases; there is for {known}.")
    if not driver:
        url = url.set(drivername=_DRIVERS[name][0])
    backend = "postgresql" if name == "postgres" else name
    if policy is not AddressPolicy.ANYWHERE:
        _refuse_unchecked(url, backend, member)
    if backend == "sqlite" and (url.database or "").startswith("file:"):
        raise InvalidParameter(member, "Write the path of the SQLite file: sqlite:////srv/plant/readings.db.")
    return SqlAddress(url, backend, policy, member)


def _refuse_unchecked(url: sa.URL, backend: str, member: str) -> None:
    """Raises InvalidParameter where the address leads past its host."""
    if backend == "sqlite":
        reason = "An SQLite file can be named by the operator alone, as DATABASE_URL."
        raise InvalidParameter(member, f"{reason} A configured variable names a server.")
    if not url.host or url.host.startswith("/") or "," in url.host:
        raise InvalidParameter(member, "The address names no host, or several. Write one host, and a port.")
    unknown = sorted(name for name in url.query if name.lower() not in _HARMLESS)
    if unknown:
        reason = f"The address has {unknown[0][:50]!r} after its `?`, which is allowed in DATABASE_URL alone."
        raise InvalidParameter(member, f"{reason} Allowed here: {', '.join(sorted(_HARMLESS))}.")
