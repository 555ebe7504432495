"""The HTTP under a gateway: requests are sent, again where that is right, and foreign errors are translated once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import httpx

from fluxgate_client.answers import refused
from fluxgate_client.connections import http_options, translated
from fluxgate_client.errors import GatewayError
from fluxgate_client.notices import warn
from fluxgate_client.requests import Request
from fluxgate_client.retries import Retry

T = TypeVar("T")
Sleep = Callable[[float], object]


class Transport:
    """Sends requests of one key to one gateway. `timeout_s` bounds each wait for bytes, not a whole answer.

    `http_transport` takes the place of httpx's own: for certificates, proxies, and tests.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        timeout_s: float = 120.0,
        retry: Retry | None = None,
        sleep: Sleep = time.sleep,
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(**http_options(url, key, timeout_s), transport=http_transport)
        self._retry = retry or Retry()
        self._sleep = sleep

    def fetch(self, request: Request) -> bytes:
        """The whole body of an answer with status 2xx; one that breaks is asked for again. Raises GatewayError."""
        return self._tried(request, lambda: self._whole(request))

    @contextmanager
    def stream(self, request: Request) -> Iterator[httpx.Response]:
        """An open answer with status 2xx, to be read inside the `with`; once it has begun, nothing is tried again.

        Raises:
            GatewayRefused: any other status, with its problem document.
            GatewayUnreachable: no connection, or silence longer than the time-out.
            AnswerBroken: the body stopped early, while it is read.
        """
        response = self._tried(request, lambda: self._opened(request))
        try:
            with translated(request, self._http.base_url, begun=True):
                yield response
        finally:
            response.close()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Transport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tried(self, request: Request, send: Callable[[], T]) -> T:
        tries = self._retry.begin(request.repeatable)
        while True:
            try:
                return send()
            except GatewayError as error:
                pause_s = tries.pause_s(error)
            self._sleep(pause_s)

    def _whole(self, request: Request) -> bytes:
        response = self._opened(request)
        try:
            with translated(request, self._http.base_url, begun=True):
                return response.read()
        finally:
            response.close()

    def _opened(self, request: Request) -> httpx.Response:
        message = self._http.build_request(
            request.method, request.target, content=request.content, headers=request.headers
        )
        with translated(request, self._http.base_url, begun=False):
            response = self._http.send(message, stream=True)
        if response.is_success:
            warn(response.headers)
            return response
        try:
            with translated(request, self._http.base_url, begun=True):
                body = response.read()
        finally:
            response.close()
        raise refused(response.status_code, response.headers, body, self._retry.clock(), str(response.request.url))
