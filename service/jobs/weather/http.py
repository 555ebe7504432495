"""GET of a JSON document from one fixed address, in bounded time and bytes; secrets stay out of logs and errors.

The address is a setting of the operator, and redirects are not followed: nobody else decides where a request goes.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import httpx

from service.errors import UpstreamError, UpstreamUnavailable

_MOST_BYTES = 256 * 1024
_FAILURES = {
    httpx.ConnectTimeout: "does not accept a connection in time",
    httpx.ConnectError: "cannot be reached",
    httpx.TimeoutException: "did not answer in time",
    httpx.RemoteProtocolError: "broke off its answer, or does not speak HTTP",
}


@dataclass(frozen=True)
class HttpAnswer:
    """Status, body, and the seconds that the server asks to wait, if it does."""

    status: int
    body: bytes
    retry_after_s: float | None

    def document(self) -> object:
        """The JSON of the body. Raises UpstreamError."""
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise UpstreamError(
                f"the answer ({len(self.body)} bytes) is no JSON.", upstream=self.body.decode(errors="replace")
            ) from None


class WeatherHttp:
    """Asks the server at `base_url`. `timeout_s` bounds the time of an answer; `clock` gives monotonic seconds."""

    def __init__(self, base_url: str, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._clock = clock
        self.host = httpx.URL(self._base_url).host

    def get(self, path: str, parameters: Mapping[str, str], secrets: Mapping[str, str]) -> HttpAnswer:
        """The answer, whatever its status. `secrets` are parameters too, which no log and no error shows.

        Raises UpstreamUnavailable, and UpstreamError for a body that is too large.
        """
        deadline = self._clock() + self._timeout_s
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        transport = _SecretParameters(secrets, self._certificates)
        client = httpx.Client(transport=transport, timeout=self._timeout_s, trust_env=False, headers=headers)
        try:
            with client, client.stream("GET", f"{self._base_url}{path}", params=dict(parameters)) as response:
                body = self._body(response, deadline)
                return HttpAnswer(response.status_code, body, _retry_after_s(response))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failed:
            # The text of the error is left out: it may hold the address with the secrets.
            raise UpstreamUnavailable(f"{self.host} {_failure(failed)}.") from None

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        """Loaded once, at the first request: it takes a tenth of a second."""
        return httpx.create_ssl_context()

    def _body(self, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for piece in response.iter_raw():  # each piece as it comes, so that the deadline is seen
            body += piece
            if len(body) > _MOST_BYTES:
                raise UpstreamError(f"The answer of {self.host} has more than {_MOST_BYTES // 1024} kB.")
            if self._clock() > deadline:
                raise UpstreamUnavailable(f"{self.host} did not answer within {self._timeout_s:g} s.")
        return bytes(body)


class _SecretParameters(httpx.BaseTransport):
    """Adds secret parameters below the client, which logs the addresses of its requests."""

    def __init__(self, secrets: Mapping[str, str], certificates: ssl.SSLContext) -> None:
        self._secrets = dict(secrets)
        self._transport = httpx.HTTPTransport(verify=certificates)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_merge_params(self._secrets)
        sent = httpx.Request(request.method, url, headers=request.headers, extensions=request.extensions)
        return self._transport.handle_request(sent)

    def close(self) -> None:
        self._transport.close()


def _failure(failed: Exception) -> str:
    return next((text for kind, text in _FAILURES.items() if isinstance(failed, kind)), "broke the connection off")


def _retry_after_s(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
