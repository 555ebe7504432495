"""`fluxgate_client.transport` for `async` programs: the same promises, with `await` at each wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx

from fluxgate_client.answers import refused
from fluxgate_client.connections import http_options, translated
from fluxgate_client.errors import GatewayError
from fluxgate_client.notices import warn
from fluxgate_client.requests import Request
from fluxgate_client.retries import Retry

T = TypeVar("T")
AsyncSleep = Callable[[float], Awaitable[object]]


class AsyncTransport:
    """See `Transport`."""

    def __init__(
        self,
        url: str,
        key: str | None,
        timeout_s: float = 120.0,
        retry: Retry | None = None,
        sleep: AsyncSleep = asyncio.sleep,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(**http_options(url, key, timeout_s), transport=http_transport)
        self._retry = retry or Retry()
        self._sleep = sleep

    async def fetch(self, request: Request) -> bytes:
        return await self._tried(request, lambda: self._whole(request))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[httpx.Response]:
        response = await self._tried(request, lambda: self._opened(request))
        try:
            with translated(request, self._http.base_url, begun=True):
                yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._http.aclose()

    async def _tried(self, request: Request, send: Callable[[], Awaitable[T]]) -> T:
        tries = self._retry.begin(request.repeatable)
        while True:
            try:
                return await send()
            except GatewayError as error:
                pause_s = tries.pause_s(error)
            await self._sleep(pause_s)

    async def _whole(self, request: Request) -> bytes:
        response = await self._opened(request)
        try:
            with translated(request, self._http.base_url, begun=True):
                return await response.aread()
        finally:
            await response.aclose()

    async def _opened(self, request: Request) -> httpx.Response:
        message = self._http.build_request(
            request.method, request.target, content=request.content, headers=request.headers
        )
        with translated(request, self._http.base_url, begun=False):
            response = await self._http.send(message, stream=True)
        if response.is_success:
            warn(response.headers)
            return response
        try:
            with translated(request, self._http.base_url, begun=True):
                body = await response.aread()
        finally:
            await response.aclose()
        raise refused(response.status_code, response.headers, body, self._retry.clock(), str(response.request.url))
