"""The wire to InfluxDB: influxdb-client's pooled HTTP, raw bytes, no retries, every failure translated once.

A call can be aborted from another thread at any moment, also while InfluxDB has not answered yet:
its socket is shut down, and InfluxDB ends the query when it sees that.
"""

import contextlib
import functools
import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import urllib3
from influxdb_client import InfluxDBClient
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from service.errors import FluxgateError, StoreBroken, StoreCancelled, StoreTimeout, StoreUnavailable
from service.sockets import ANYWHERE, Connector
from service.stores.influx.failures import failure, not_an_answer, reason_of

Parameters = Mapping[str, str]
CHUNK_BYTES = 1024 * 1024
FIRST_BYTES, READ_BYTES = 64 * 1024, 64 * 1024
"""The first bytes are taken as they come, later ones many at a time: InfluxDB sends pieces of 3 kB, each of which costs."""
_PACK_LEVEL = 1
_current = threading.local()
_carrying = threading.Lock()
_carried: "WeakKeyDictionary[HTTPConnection, Call]" = WeakKeyDictionary()
"""The call that a pooled connection carries: only that one may shut it down."""


class Call:
    """One request that may be aborted: shared by the thread that makes it and those that may end it."""

    def __init__(self, deadline_s: float | None = None) -> None:
        self.aborted = False
        self._deadline = None if deadline_s is None else time.monotonic() + deadline_s
        self._connection: HTTPConnection | None = None
        self._sock: socket.socket | None = None
        self._reused = False

    def abort(self) -> None:
        """End the call. Thread-safe; may be repeated, also after the call, when its connection carries another one."""
        self.aborted = True
        with _carrying:
            connection = self._connection
            carried = connection is not None and _carried.get(connection) is self
            sock = (connection.sock or self._sock) if connection is not None and carried else None
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise when the call was aborted or its time is over."""
        left_s = self.left_s()
        if left_s is not None and left_s <= 0:
            self.abort()
            raise StoreTimeout("The read took longer than READ_TIMEOUT_S. Read a shorter range, or raise it.")
        if self.aborted:
            raise StoreCancelled("The read was cancelled.")

    def left_s(self) -> float | None:
        """Seconds until the call's time is over; None: it has no end."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def attach(self, connection: HTTPConnection) -> None:
        with _carrying:
            self._connection = connection
            self._reused = connection in _carried and connection.sock is not None
            _carried[connection] = self

    def sent(self, connection: HTTPConnection) -> None:
        """Keep the socket of the request: a connection forgets it when the server answers `Connection: close`."""
        with _carrying:
            self._sock = connection.sock
        self.check()

    def was_stale(self, broken: Exception) -> bool:
        """A kept connection that InfluxDB had closed meanwhile: asking on another is no second try (RFC 9112, 9.3.1)."""
        stale = self._reused and isinstance(broken, urllib3.exceptions.ProtocolError | ConnectionError)
        self._reused = False
        return stale

    def detach(self) -> None:
        """The answer is over: from now on its connection belongs to whoever takes it from the pool."""
        with _carrying:
            self._connection = self._sock = None


class _WatchedHTTP(HTTPConnection):
    """Tells the call of this thread which connection carries it, and connects only to what `connector` allows."""

    def __init__(self, *arguments: Any, connector: Connector, **named: Any) -> None:  # noqa: ANN401  (urllib3's own signature is passed on)
        super().__init__(*arguments, **named)
        self._connector = connector

    def _new_conn(self) -> socket.socket:
        return _connected(self, self._dns_host, self._connector)

    def request(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  (urllib3's own signature is passed on)
        _attach(self)
        super().request(*arguments, **named)
        _sent(self)


class _WatchedHTTPS(HTTPSConnection):
    def __init__(self, *arguments: Any, connector: Connector, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self._connector = connector

    def _new_conn(self) -> socket.socket:
        return _connected(self, self._dns_host, self._connector)

    def request(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        _attach(self)
        super().request(*arguments, **named)
        _sent(self)


def _connected(connection: HTTPConnection, host: str, connector: Connector) -> socket.socket:
    """A socket for `connection`, with the errors that urllib3 has for its own. Names in TLS and in `Host` stay those of the address."""
    try:
        return connector.connect(host, connection.port, connection.timeout, connection.socket_options or ())
    except socket.gaierror as broken:
        raise NameResolutionError(host, connection, broken) from broken
    except TimeoutError as broken:
        raise ConnectTimeoutError(connection, f"Connection to {host} timed out. (connect timeout={connection.timeout})") from broken
    except OSError as broken:
        raise NewConnectionError(connection, f"Failed to establish a new connection: {broken}") from broken


def _attach(connection: HTTPConnection) -> None:
    call = getattr(_current, "call", None)
    if call is not None:
        call.attach(connection)


def _sent(connection: HTTPConnection) -> None:
    call = getattr(_current, "call", None)
    if call is not None:
        call.sent(connection)


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP

    def __init__(self, *arguments: Any, connector: Connector, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self.conn_kw["connector"] = connector


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS

    def __init__(self, *arguments: Any, connector: Connector, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self.conn_kw["connector"] = connector


class Meter:
    """Counts the bytes that went over a link, both ways."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    @property
    def moved_bytes(self) -> int:
        with self._lock:
            return self._bytes

    def add(self, size: int) -> None:
        with self._lock:
            self._bytes += size


class _Stream:
    """A body in pieces, counted as they go. What its source raises is kept, apart from what the connection raises."""

    def __init__(self, source: Iterator[bytes], meter: Meter) -> None:
        self.broken: Exception | None = None
        self._source = source
        self._meter = meter

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._source:
                self._meter.add(len(piece))
                yield piece
        except Exception as broken:
            self.broken = broken
            raise


class Reply:
    """An answer whose status is known and whose body comes in pieces. Read it to its end, or close it."""

    def __init__(self, response: urllib3.BaseHTTPResponse, call: Call, path: str, meter: Meter) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._call = call
        self._path = path
        self._meter = meter
        self._metered_bytes = 0

    def chunks(self) -> Iterator[bytes]:
        """The body, as it comes.

        Raises:
            StoreBroken: it was cut. StoreTimeout: silence. StoreCancelled: aborted by this side.
        """
        size = 0
        try:
            while True:
                self._call.check()
                piece = self._response.read1(CHUNK_BYTES) if size < FIRST_BYTES else self._response.read(READ_BYTES)
                if not piece:
                    self._call.check()  # a body that ends with its connection ends the same way when that is shut down
                    break
                size += len(piece)
                yield piece
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as broken:
            self._call.check()
            raise _translated(broken, self._path) from broken
        finally:
            self.close()

    def read(self, most_bytes: int = 256 * CHUNK_BYTES) -> bytes:
        """The whole body; StoreBroken above `most_bytes`."""
        pieces, size = [], 0
        for piece in self.chunks():
            size += len(piece)
            if size > most_bytes:
                raise not_an_answer(self._path, f"an answer of more than {most_bytes} bytes where a short one is due")
            pieces.append(piece)
        return b"".join(pieces)

    def message(self) -> str:
        """The reason that an error answer gives."""
        return reason_of(self.read())

    def close(self) -> None:
        self._call.detach()
        self._response.close()
        moved_bytes = self._response.tell()  # also of an answer read to its end, which closes itself
        self._meter.add(moved_bytes - self._metered_bytes)
        self._metered_bytes = moved_bytes
        self._response.release_conn()


class Transport:
    """Sends requests with one token to one InfluxDB. `silence_timeout_s` bounds each wait for bytes. `packed`: bodies are gzipped, both ways.

    No proxy of the environment is used: `connector` decides about the address that is connected to.
    """

    def __init__(
        self,
        url: str,
        token: str,
        org: str,
        *,
        connect_timeout_s: float = 5.0,
        silence_timeout_s: float = 60.0,
        connections: int = 32,
        packed: bool = False,
        connector: Connector = ANYWHERE,
    ) -> None:
        self.url = url.rstrip("/")
        self.org = org
        self._client = InfluxDBClient(url=self.url, token=token, org=org, connection_pool_maxsize=connections)
        self._pool: urllib3.PoolManager = self._client.api_client.rest_client.pool_manager
        pools = {"http": _HTTPPool, "https": _HTTPSPool}
        self._pool.pool_classes_by_scheme = {scheme: functools.partial(pool, connector=connector) for scheme, pool in pools.items()}
        self._timeout = urllib3.Timeout(connect=connect_timeout_s, read=silence_timeout_s)
        self._packed = packed
        self._headers = {"Authorization": f"Token {token}", "Accept-Encoding": "gzip" if packed else "identity"}
        self.meter = Meter()

    def send(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        body: bytes | Iterator[bytes] | None = None,
        headers: Parameters | None = None,
        call: Call | None = None,
    ) -> Reply:
        """One request; the reply may have any status. Redirects are not followed.

        A body in pieces is sent as they come, and never twice. What its iterator raises is raised here as it is.

        Raises:
            StoreUnavailable: no connection. StoreTimeout: no answer in time. StoreCancelled: aborted.
            AddressRefused: its host leads where `connector` does not connect to.
        """
        call = call or Call()
        stream = None if body is None or isinstance(body, bytes) else _Stream(body, self.meter)
        if isinstance(body, bytes):
            self.meter.add(len(body))
        url = f"{self.url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        while True:
            _current.call = call
            try:
                call.check()
                response = self._pool.urlopen(
                    method, url, body=stream or body, headers={**self._headers, **(headers or {})},
                    timeout=self._timeout, retries=False, redirect=False, preload_content=False, decode_content=self._packed,
                )  # fmt: skip
            except (urllib3.exceptions.HTTPError, OSError, AttributeError) as broken:
                call.check()
                if stream is not None and stream.broken is not None:
                    raise stream.broken from None
                if call.was_stale(broken) and stream is None:
                    continue
                raise _translated(broken, path) from broken
            finally:
                _current.call = None
            return Reply(response, call, path, self.meter)

    def lines(self, text: bytes) -> tuple[bytes, dict[str, str]]:
        """The body and headers of a write. InfluxDB unpacks the bodies of writes, but not of queries."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return (gzip.compress(text, _PACK_LEVEL), {**headers, "Content-Encoding": "gzip"}) if self._packed else (text, headers)

    def open(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        body: bytes | Iterator[bytes] | None = None,
        headers: Parameters | None = None,
        call: Call | None = None,
        bucket: str | None = None,
    ) -> Reply:
        """Like `send`, but the status is 2xx; any other raises what `failures.failure` makes of it."""
        reply = self.send(method, path, parameters, body, headers, call)
        if not 200 <= reply.status < 300:
            raise failure(reply.status, reply.headers, reply.read(), bucket)
        kind = reply.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            reply.close()
            raise not_an_answer(path, "it answers a web page")
        return reply

    def json(self, method: str, path: str, parameters: Parameters | None = None, payload: object = None) -> Any:  # noqa: ANN401
        """A small JSON question and its JSON answer."""
        body = None if payload is None else json.dumps(payload).encode()
        answer = self.open(method, path, parameters, body, {"Content-Type": "application/json"}).read()
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise not_an_answer(path, "it answers something that is not JSON") from None

    def close(self) -> None:
        self._client.close()
        self._pool.clear()


def _translated(broken: Exception, path: str) -> FluxgateError:
    reason = _plain(broken)
    if isinstance(broken, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError | ConnectionRefusedError):
        return StoreUnavailable(f"No connection to InfluxDB ({reason}).", advice="Is it running at {url}?")
    if isinstance(broken, urllib3.exceptions.ConnectTimeoutError):
        late = f"InfluxDB did not take a connection in time ({reason})."
        return StoreUnavailable(late, advice="Is it running at {url}?")
    if isinstance(broken, urllib3.exceptions.TimeoutError | TimeoutError):
        return StoreTimeout("InfluxDB was silent for longer than INFLUXDB_SILENCE_TIMEOUT_S. Read a shorter range, or raise it.")
    if isinstance(broken, urllib3.exceptions.SSLError):
        return StoreUnavailable(f"No trusted connection to InfluxDB ({reason}).", advice="Check its certificate and {url}.")
    shown, upstream = ("", reason) if _quotes(broken) else (f" ({reason})", "")
    told = f"InfluxDB's answer to {path} was cut off{shown}. Ask again; if it stays so, look at its log and the link."
    return StoreBroken(told, upstream=upstream)


def _quotes(broken: Exception) -> bool:
    """Whether the words of an exception may be those of the other side, such as a first line that is not HTTP."""
    cause = broken.args[-1] if broken.args and isinstance(broken.args[-1], Exception) else broken
    return not isinstance(cause, OSError | http.client.IncompleteRead)


def _plain(broken: Exception) -> str:
    """The cause in a few words, without object addresses or the request's parameters."""
    cause = broken.args[-1] if broken.args and isinstance(broken.args[-1], Exception) else broken
    text = str(cause).split("with url")[0]
    return " ".join(text.split(": ", 1)[-1].split())[:200] if text else type(cause).__name__
