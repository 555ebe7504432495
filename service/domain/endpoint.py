"""Where data comes from or goes to: an InfluxDB, or the gateway's own store."""

from dataclasses import dataclass, field

from service.domain.addresses import parse_address

OWN_STORE, EMBEDDED = "store", "embedded"
"""Names of the gateway's own store as an endpoint; the second only when it is the embedded one."""
TOKEN_PREFIX = "FLUXGATE_TOKEN_"  # noqa: S105  (names of variables, no secret)
"""The prefix of environment variables that hold tokens of configured endpoints."""
TOKEN_VARIABLES_SETTING = "MIRROR_TOKEN_VARIABLES"  # noqa: S105
"""The setting that lists further variables. Its name says mirrors, but it is for all endpoints."""
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Endpoint:
    """An InfluxDB, or with no `url` the gateway's own store.

    Two with the same `address` and `org` are the same store.
    """

    url: str | None
    org: str
    token: str = field(repr=False)
    address: str
    is_remote: bool

    @property
    def identity(self) -> tuple[str, str]:
        return self.address, self.org

    def __str__(self) -> str:
        return "the gateway's own store" if self.url is None else self.address


def endpoint_at(url: str, org: str, token: str) -> Endpoint:
    """The InfluxDB at `url`. Names of this machine are one address. Raises WrongAddress."""
    parsed = parse_address(url)
    is_this_machine = parsed.host in _THIS_MACHINE
    address = f"localhost:{parsed.port}{parsed.path}" if is_this_machine else f"{parsed.origin}{parsed.path}"
    return Endpoint(str(parsed), org, token, address, not is_this_machine)
