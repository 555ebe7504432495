"""Connections to an upstream, for httpcore: only to addresses that the policy allows, and never beyond a deadline.

httpcore's own connections have a time for each read, so a server that sends a byte now and then holds them for ever.
Here all reads and writes of an exchange share one deadline, and the run may end it at any moment.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import httpcore

from service.sockets import Connector, is_ready

T = TypeVar("T")
_SLICE_S = 0.5
"""How long the end of a run may be missed while a connection is silent."""
_CONNECT_S = 10.0
_NO_DELAY = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)


class Deadlines:
    """The deadline of what the current thread does. `check` raises when the run has to end."""

    def __init__(self, monotonic: Callable[[], float], check: Callable[[], None]) -> None:
        self._monotonic = monotonic
        self._check = check
        self._local = threading.local()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Everything inside has to end `seconds` from now."""
        self._local.at = self._monotonic() + seconds
        try:
            yield
        finally:
            del self._local.at

    def left(self) -> float:
        """Seconds until the deadline of this thread. Raises TimeoutError when it is over, or there is none."""
        left = getattr(self._local, "at", float("-inf")) - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def wait(self, act: Callable[[float], T]) -> T:
        """What `act` gives, which gets the seconds that it may take and raises TimeoutError after them.

        Raises TimeoutError at the deadline, and what `check` raises.
        """
        while True:
            self._check()
            seconds = min(self.left(), _SLICE_S)
            try:
                return act(seconds)
            except TimeoutError:
                continue


class TlsFailed(httpcore.ConnectError):
    """No TLS connection was made. `unverified`: why the server's certificate is not trusted, where that is the cause.

    httpcore removes the causes of errors, so this one keeps what matters.
    """

    def __init__(self, failure: OSError) -> None:
        super().__init__(str(failure))
        self.unverified = failure.verify_message if isinstance(failure, ssl.SSLCertVerificationError) else None


class CheckedBackend(httpcore.NetworkBackend):
    """Connects with `connector`, which checks each address that it connects to."""

    def __init__(self, connector: Connector, deadlines: Deadlines) -> None:
        self._connector = connector
        self._deadlines = deadlines

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to `host`. Raises AddressRefused, and the errors of httpcore."""
        deadlines = self._deadlines
        try:
            timeout_s = lambda: min(deadlines.left(), _CONNECT_S)  # noqa: E731  (asked for each address)
            return _Stream(self._connector.connect(host, port, timeout_s, _NO_DELAY), deadlines)
        except TimeoutError as late:
            raise httpcore.ConnectTimeout(str(late)) from late
        except OSError as broken:
            raise httpcore.ConnectError(str(broken)) from broken


class _Stream(httpcore.NetworkStream):
    """A connection of one exchange at a time."""

    def __init__(self, connection: socket.socket, deadlines: Deadlines) -> None:
        self._socket = connection
        self._deadlines = deadlines

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._deadlines.wait(lambda seconds: self._timed(seconds).recv(max_bytes))
        except TimeoutError as late:
            raise httpcore.ReadTimeout(str(late)) from late
        except OSError as broken:
            raise httpcore.ReadError(str(broken)) from broken

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = memoryview(buffer)
        try:
            while left:
                left = left[self._deadlines.wait(partial(self._send, left)) :]
        except TimeoutError as late:
            raise httpcore.WriteTimeout(str(late)) from late
        except OSError as broken:
            raise httpcore.WriteError(str(broken)) from broken

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            wrapped = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._socket = wrapped
            self._shake_hands(wrapped)
        except TimeoutError as late:
            self.close()
            raise httpcore.ConnectTimeout(str(late)) from late
        except OSError as broken:
            self.close()
            raise TlsFailed(broken) from broken
        return _Stream(wrapped, self._deadlines)

    def _shake_hands(self, wrapped: ssl.SSLSocket) -> None:
        """Each wait is a slice of its own, because a handshake that was interrupted can go on."""
        wrapped.settimeout(0)
        while True:
            try:
                wrapped.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._deadlines.wait(lambda seconds: _ready(wrapped, seconds, False))
            except ssl.SSLWantWriteError:
                self._deadlines.wait(lambda seconds: _ready(wrapped, seconds, True))

    def _send(self, data: memoryview, seconds: float) -> int:
        return self._timed(seconds).send(data)

    def _timed(self, seconds: float) -> socket.socket:
        self._socket.settimeout(seconds)
        return self._socket

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  (as httpcore defines it)
        """What httpcore asks a connection: above all whether the server closed it while it was idle."""
        if info == "is_readable":
            return self._socket.fileno() < 0 or is_ready(self._socket, 0.0)
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return self._socket if info == "socket" else None


def _ready(connection: socket.socket, seconds: float, to_write: bool) -> None:
    """Wait until the connection can be read, or written. Raises TimeoutError."""
    if not is_ready(connection, seconds, to_write):
        raise TimeoutError
