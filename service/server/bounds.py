"""What a connection may bring before the application sees a request, and how many there may be."""

import ipaddress
from dataclasses import dataclass

RESERVED = 32
"""Connections beyond the bound on which only /health/ is answered, so that a full gateway is not taken for a dead one."""
RESERVED_HEAD_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class ConnectionBounds:
    """Sizes in bytes, times in seconds, numbers for each worker. It is sent to worker processes, so it holds plain values."""

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
        """All clients of a proxy come from its address, so their number says nothing."""
        return not address or any(_names(proxy, address) for proxy in self.trusted_proxies)


def _names(proxy: str, address: str) -> bool:
    if proxy in ("*", address):
        return True
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(proxy, strict=False)
    except ValueError:
        return False
