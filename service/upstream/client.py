"""Requests over HTTP/1.1 and their answers: bounded in time and size, without redirects, with TLS verified.

The one module that speaks HTTP to an upstream, to the server that gives its access tokens, and to a provider of
weather. No log has the path or the query of an address.
"""

import contextlib
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpcore
import httpx

from service import __version__
from service.domain.answer_rules import UNPARSED
from service.errors import InvalidParameter
from service.sockets import Connector
from service.upstream.auth import ClientCertificate
from service.upstream.connections import CheckedBackend, Deadlines, TlsFailed

MOST_ANSWER_BYTES = 1_000_000
"""The rest of a longer answer is not read."""
_KEEPALIVE_S = 4.0
"""Common servers close idle connections after five seconds. A post into a closing one has no answer."""
_HEADERS = {
    "User-Agent": f"fluxgate/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}


class RequestFailed(Exception):
    """There is no answer. `was_sent`: whether the server may have acted on the request.

    `finding`: the end of a sentence about the server; `detail`: the text of the error.
    """

    def __init__(self, finding: str, detail: str, was_sent: bool) -> None:
        super().__init__(finding, detail)
        self.finding = finding
        self.detail = detail
        self.was_sent = was_sent


@dataclass(frozen=True)
class HttpAnswer:
    """An answer. `headers` have names in lower case. `is_whole`: whether all of the body was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool

    @cached_property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @cached_property
    def document(self) -> object:
        """The parsed body; UNPARSED when it is no JSON, or its end is missing."""
        if not self.is_whole:
            return UNPARSED
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return UNPARSED


class HttpClient:
    """Connections to a few servers. Threads may share it; each makes one request at a time."""

    def __init__(
        self,
        connector: Connector,
        tls: ssl.SSLContext | None,
        *,
        timeout_s: float,
        connections: int,
        monotonic: Callable[[], float],
        check: Callable[[], None],
    ) -> None:
        self._deadlines = Deadlines(monotonic, check)
        self._timeout_s = timeout_s
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            keepalive_expiry=_KEEPALIVE_S,
            network_backend=CheckedBackend(connector, self._deadlines),
        )

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Post a body, and wait for the answer.

        Raises:
            RequestFailed: there is no answer in time, or none that makes sense.
            AddressRefused: no address of the host may be connected to. JobInterrupted: the run has to end.
        """
        return self._answered("POST", url, headers, body)

    def get(self, url: str) -> HttpAnswer:
        """Ask for a document, and wait for the answer. Raises as `post` does."""
        return self._answered("GET", url, {}, None)

    def _answered(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> HttpAnswer:
        with self._deadlines.within(self._timeout_s):
            try:
                with self._pool.stream(
                    method,
                    url,
                    headers=_encoded({"Host": urlsplit(url).netloc, **_HEADERS, **headers}),
                    content=body,
                    extensions={"timeout": {"pool": self._timeout_s}},
                ) as response:
                    return _answer(response)
            except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as failed:
                raise RequestFailed(_connect_finding(failed), str(failed), was_sent=False) from failed
            except httpcore.TimeoutException as late:
                finding = f"gave no answer within {self._timeout_s:g} s"
                raise RequestFailed(finding, str(late), was_sent=True) from late
            except httpcore.NetworkError as broken:
                raise RequestFailed("broke the connection off", str(broken), was_sent=True) from broken
            except httpcore.ProtocolError as broken:
                raise RequestFailed("sent no answer in HTTP", str(broken), was_sent=True) from broken

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def _answer(response: httpcore.Response) -> HttpAnswer:
    """The answer with as much of its body as is kept. A body that breaks off leaves the status as it is."""
    body = bytearray()
    is_whole = False
    with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > MOST_ANSWER_BYTES:
                break
        is_whole = len(body) <= MOST_ANSWER_BYTES
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return HttpAnswer(response.status, headers, bytes(body[:MOST_ANSWER_BYTES]), is_whole)


def _connect_finding(failed: Exception) -> str:
    if not isinstance(failed, TlsFailed):
        return "cannot be reached"
    if failed.unverified is None:
        return "makes no TLS connection"
    return f"has a certificate that cannot be verified ({failed.unverified}; your own CA stands in ca_file)"


def tls_context(ca_file: Path | None, certificate: ClientCertificate | None) -> ssl.SSLContext:
    """TLS that verifies: the usual authorities, and those of `ca_file`. `certificate` proves the gateway.

    Raises InvalidParameter: a file holds no such thing, or its password is wrong.
    """
    context = httpx.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError:
            raise InvalidParameter("ca_file", f"{str(ca_file)!r} holds no certificate in PEM form.") from None
    if certificate is not None:
        password = certificate.password or ""
        try:
            context.load_cert_chain(certificate.certificate, certificate.key, lambda: password)
        except OSError:
            finding = f"{str(certificate.certificate)!r} and {str(certificate.key)!r} are no certificate and its key"
            advice = "both in PEM form, or the password of the key is missing or wrong"
            raise InvalidParameter("client_certificate", f"{finding}, {advice}.") from None
    return context


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as messages name it: neither its path nor its query may show a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
