"""`fluxgate_client.gateway` for `async` programs: the same methods, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import pyarrow as pa

from fluxgate_client import calls, requests
from fluxgate_client.answers import Call, as_frame, as_table
from fluxgate_client.async_transport import AsyncSleep, AsyncTransport
from fluxgate_client.connections import from_environment
from fluxgate_client.files import PIECE_BYTES, format_of, whole_file
from fluxgate_client.requests import LatestOptions, Names, Read, ReadOptions
from fluxgate_client.retries import Retry

if TYPE_CHECKING:
    import httpx
    import pandas as pd

    from fluxgate_client.points import Table

T = TypeVar("T")


def connect_async(
    url: str | None = None,
    key: str | None = None,
    timeout_s: float = 120.0,
    *,
    retry: Retry | None = None,
    sleep: AsyncSleep = asyncio.sleep,
    http_transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncGateway:
    """See `connect`. Outside of asyncio, pass the `sleep` of what runs the program, such as `trio.sleep`."""
    return AsyncGateway(AsyncTransport(*from_environment(url, key), timeout_s, retry, sleep, http_transport))


class AsyncGateway:
    """See `Gateway`; may be used as an asynchronous context manager."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def read(self, bucket: str, **options: Unpack[ReadOptions]) -> AsyncAnswer:
        """See `Gateway.read`. Nothing is sent yet, so there is nothing to await."""
        return AsyncAnswer(self._transport, requests.read(bucket, options))

    async def buckets(self) -> list[dict[str, Any]]:
        return await self._fetched(calls.buckets())

    async def create_buckets(self, wanted: Any) -> dict[str, list[str]]:  # noqa: ANN401  (JSON as the caller has it)
        return await self._fetched(calls.create_buckets(wanted))

    async def update_bucket(self, bucket: str, **changes: str | None) -> dict[str, Any]:
        return await self._fetched(calls.update_bucket(bucket, changes))

    async def schema(self, bucket: str) -> dict[str, Any]:
        return await self._fetched(calls.schema(bucket))

    async def latest(self, **options: Unpack[LatestOptions]) -> dict[str, Any]:
        return await self._fetched(calls.latest(options))

    async def write(
        self, bucket: str, lines: str | bytes, *, precision: str = "ns", partial: bool = False
    ) -> dict[str, Any]:
        return await self._fetched(calls.write(bucket, lines, precision, partial))

    async def write_table(
        self, bucket: str, table: Table, *, measurement: str, tags: Names = None, time: str = "_time"
    ) -> dict[str, Any]:
        return await self._fetched(calls.write_table(bucket, table, measurement, tags, time))

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> AsyncGateway:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _fetched(self, call: Call[T]) -> T:
        return call.parse(call.request, await self._transport.fetch(call.request))


class AsyncAnswer:
    """See `Answer`."""

    def __init__(self, transport: AsyncTransport, read: Read) -> None:
        self._transport = transport
        self._read = read

    async def to_arrow(self) -> pa.Table:
        request = self._read.request("arrow")
        return as_table(request, await self._transport.fetch(request))

    async def to_pandas(self) -> pd.DataFrame:
        return as_frame(await self.to_arrow())

    async def pieces(self, format: str) -> AsyncIterator[bytes]:
        async with self._transport.stream(self._read.request(format)) as response:
            async for piece in response.aiter_bytes(PIECE_BYTES):
                yield piece

    async def to_csv(self, path: str | Path) -> Path:
        return await self.save(path, "csv")

    async def save(
        self, path: str | Path, format: str | None = None, progress: Callable[[int], object] | None = None
    ) -> Path:
        target = Path(path)
        request = self._read.request(format_of(target, format))
        async with self._transport.stream(request) as response:
            with whole_file(target, progress) as write:
                async for piece in response.aiter_bytes(PIECE_BYTES):
                    write(piece)
        return target
