"""Opens connections to hosts that somebody named: the name is resolved, each address is judged, and one that passed is connected to.

The judged address itself is connected to, so that a name which resolves differently a moment later changes nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from service.domain.addresses import AddressPolicy, refusal
from service.errors import AddressRefused

Resolver = Callable[[str, int], Sequence[str]]
"""The IP addresses of a host, the best first, as texts. Raises OSError when there are none."""
SocketOptions = Iterable[tuple[int, int, int | bytes]]


def resolve_host(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


@dataclass(frozen=True)
class Connector:
    """Connects to what `policy` allows."""

    policy: AddressPolicy
    resolve: Resolver = resolve_host

    def allowed_addresses(self, host: str, port: int) -> list[str]:
        """The IP addresses of `host` that may be connected to.

        Raises:
            AddressRefused: it has some, and none of them may be. OSError: it has none.
        """
        found = self.resolve(host, port)
        refused = [reason for text in found if (reason := refusal(ipaddress.ip_address(text), self.policy)) is not None]
        allowed = [text for text in found if refusal(ipaddress.ip_address(text), self.policy) is None]
        if not allowed and refused:
            raise AddressRefused(f"No connection was made to {host}:{port}: {refused[0]}. Name another address, or change what is allowed.")
        return allowed

    def connect(self, host: str, port: int, timeout_s: float | None, options: SocketOptions = ()) -> socket.socket:
        """A connection to the first address of `host` that may be connected to and answers; `timeout_s` is for each.

        Raises:
            AddressRefused: none may be. OSError: none answers, or there is none.
        """
        failed: OSError = OSError(f"{host} has no address")
        for text in self.allowed_addresses(host, port):
            try:
                link = socket.create_connection((text, port), timeout_s)
            except OSError as broken:
                failed = broken
                continue
            for option in options:
                link.setsockopt(*option)
            return link
        raise failed


ANYWHERE = Connector(AddressPolicy.ANYWHERE)
"""For addresses out of the operator's own settings."""
