"""The bounds of connections and of request heads, which apply before the application sees a request."""

import ipaddress
from dataclasses import dataclass

RESERVED_CONNECTIONS = 32
"""Connections beyond the bound. They are answered on /health/ only, so that a full gateway does not look dead."""
RESERVED_HEAD_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class ConnectionBounds:
    """The bounds of one worker: sizes in bytes, times in seconds. It is pickled for worker processes."""

    request_line: int
    header: int
    head: int
    headers: int
    head_timeout_s: float
    connections: int
    connections_per_address: int
    trusted_proxies: tuple[str, ...] = ()
    send_timeout_s: float = 60.0

    def is_trusted(self, address: str) -> bool:
        """Whether `address` is a trusted proxy. All its clients share that address, so it has no limit of its own."""
        return not address or any(_covers(proxy, address) for proxy in self.trusted_proxies)


def _covers(proxy: str, address: str) -> bool:
    if proxy in ("*", address):
        return True
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(proxy, strict=False)
    except ValueError:
        return False
