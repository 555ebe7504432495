"""Opens connections to configured hosts, and only to addresses that the policy allows.

The name is resolved once, each address is checked, and the checked address itself is connected to.
So a name that resolves differently a moment later changes nothing.
"""

import ipaddress
import select
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from service.domain.addresses import AddressPolicy, refusal
from service.errors import AddressRefused

Resolver = Callable[[str, int], Sequence[str]]
"""The IP addresses of a host, the best first, as texts. Raises OSError when there are none."""
Timeout = float | Callable[[], float] | None
"""Seconds, or what says how many; None: no limit."""
SocketOptions = Iterable[tuple[int, int, int | bytes]]


def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses that the system's resolver gives, without repeats."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def is_ready(connection: socket.socket | int, seconds: float, to_write: bool = False) -> bool:
    """Whether a connection, or its file descriptor, can be read (or written) within so many seconds.

    A process with many connections has descriptors from 1024 on, which `select` does not take. `poll` takes any.
    """
    if not hasattr(select, "poll"):  # Windows, where select takes any socket
        watched = [connection]
        readable, writable, _ = select.select([] if to_write else watched, watched if to_write else [], [], seconds)
        return bool(readable or writable)
    poll = select.poll()
    poll.register(connection, select.POLLOUT if to_write else select.POLLIN)
    return bool(poll.poll(seconds * 1_000))


@dataclass(frozen=True)
class Connector:
    """Connects only to addresses that `policy` allows."""

    policy: AddressPolicy
    resolve: Resolver = resolve_host

    def allowed_addresses(self, host: str, port: int) -> list[str]:
        """The IP addresses of `host` that may be connected to.

        Raises:
            AddressRefused: the host has addresses, and the policy allows none of them. OSError: it has no address.
        """
        addresses = self.resolve(host, port)
        refusals = {text: refusal(ipaddress.ip_address(text), self.policy) for text in addresses}
        refused = [reason for reason in refusals.values() if reason is not None]
        allowed = [text for text, reason in refusals.items() if reason is None]
        if not allowed and refused:
            finding = f"No connection was made to {host}:{port}: {refused[0]}."
            raise AddressRefused(f"{finding} Name another address, or change what is allowed.")
        return allowed

    def connect(self, host: str, port: int, timeout_s: Timeout, options: SocketOptions = ()) -> socket.socket:
        """Connect to the first allowed address of `host` that answers.

        `timeout_s` applies to each address. A function is called before each, and may raise TimeoutError.

        Raises:
            AddressRefused: the policy allows no address. OSError: no address answers, or the host has none.
        """
        failure: OSError = OSError(f"{host} has no address")
        for text in self.allowed_addresses(host, port):
            try:
                seconds = timeout_s() if callable(timeout_s) else timeout_s
                connection = socket.create_connection((text, port), seconds)
            except OSError as broken:
                failure = broken
                continue
            for option in options:
                connection.setsockopt(*option)
            return connection
        raise failure


ANYWHERE = Connector(AddressPolicy.ANYWHERE)
"""For addresses from the operator's settings, which are trusted."""
