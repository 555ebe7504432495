"""One gateway as a Python object: what there is to read, reads, the latest telemetry, and writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import pyarrow as pa

from fluxgate_client import calls, requests
from fluxgate_client.answers import Call, as_frame, as_table
from fluxgate_client.connections import from_environment
from fluxgate_client.files import PIECE_BYTES, format_of, whole_file
from fluxgate_client.requests import LatestOptions, Names, Read, ReadOptions
from fluxgate_client.retries import Retry
from fluxgate_client.transport import Sleep, Transport
from fluxgate_client.writer import LinesOutcome, RefusedLine

if TYPE_CHECKING:
    import httpx
    import pandas as pd

    from fluxgate_client.points import Table

T = TypeVar("T")


def connect(
    url: str | None = None,
    key: str | None = None,
    timeout_s: float = 120.0,
    *,
    retry: Retry | None = None,
    sleep: Sleep = time.sleep,
    http_transport: httpx.BaseTransport | None = None,
) -> Gateway:
    """A gateway. Nothing is sent yet. `timeout_s` bounds each wait for bytes; `retry` says what is sent again.

    `url` is else FLUXGATE_URL, else http://127.0.0.1:8000; `key` is else FLUXGATE_API_KEY. An empty key is none.

    `http_transport` is an `httpx.HTTPTransport` with certificates or a proxy of your own.

    Raises:
        InvalidRequest: an address or key that cannot be sent.
    """
    return Gateway(Transport(*from_environment(url, key), timeout_s, retry, sleep, http_transport))


class Gateway:
    """Reads and writes of one key at one gateway; also a context manager. Every method raises GatewayError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, bucket: str, **options: Unpack[ReadOptions]) -> Answer:
        """A read of `bucket`, to be taken with `.to_pandas()`, `.to_arrow()` or `.save(path)`.

        Options are the parameters of `GET /buckets/{name}`: `window`, or `start` and `stop`; `every`, `fn`,
        `stamp`, `align`, `measurement`, `field`, `tags={"site": ["A", "B"]}`, `shape` (long, wide, table), `tz`,
        `limit`; for `.save("power.svg")` or `.png` also `width`, `height`, `theme`, `title`, `legend`. Datetimes must
        be aware.
        """
        return Answer(self._transport, requests.read(bucket, options))

    def buckets(self) -> list[dict[str, Any]]:
        """The buckets that the key may see."""
        return self._fetched(calls.buckets())

    def create_buckets(self, wanted: Any) -> dict[str, list[str]]:  # noqa: ANN401  (JSON as the caller has it)
        """Make buckets of `{"name", "description", "retention"}`; returns the names `created` and those `existing`.

        When an answer was lost and the request sent again, a bucket that this call made is named as existing.
        """
        return self._fetched(calls.create_buckets(wanted))

    def update_bucket(self, bucket: str, **changes: str | None) -> dict[str, Any]:
        """Change `description` or `retention` (None: every point is kept) of a bucket; returns the bucket.

        A shorter retention ends points that are older, for good.
        """
        return self._fetched(calls.update_bucket(bucket, changes))

    def schema(self, bucket: str) -> dict[str, Any]:
        """Measurements of a bucket with their fields, types and tag keys."""
        return self._fetched(calls.schema(bucket))

    def latest(self, **options: Unpack[LatestOptions]) -> dict[str, Any]:
        """The latest telemetry in the ThingsBoard shape: `{"ts": ms, "values": {...}}`.

        Options: `bucket`, `measurement`, `lookback`; `by="device"` gives `{"M-100": [{"ts": ms, "values": {...}}]}`,
        one object for each value of that tag; `missing="omit"` leaves silent fields out, `"null"` makes them None.
        """
        return self._fetched(calls.latest(options))

    def write(self, bucket: str, lines: str | bytes, *, precision: str = "ns", partial: bool = False) -> dict[str, Any]:
        """Store line protocol. Returns `{"stored": n, ...}`; raises `PointsRefused` naming each bad line."""
        return self._fetched(calls.write(bucket, lines, precision, partial))

    def write_table(
        self, bucket: str, table: Table, *, measurement: str, tags: Names = None, time: str = "_time"
    ) -> dict[str, Any]:
        """Store a pandas frame or Arrow table exactly: one point per row, each column that is no tag a field.

        `PointsRefused` counts lines from 1, in the order of the rows; a text with line ends takes
        more than one. Raises InvalidRequest, before anything is sent, for what line protocol cannot hold.
        """
        return self._fetched(calls.write_table(bucket, table, measurement, tags, time))

    def write_lines(self, bucket: str, lines: bytes) -> LinesOutcome:
        """For `Writer`: store lines that have times, the good ones also where others are bad or refused."""
        answer = self.write(bucket, lines, partial=True)
        problems = [*answer["bad"], *answer["refused"]]
        named = [RefusedLine(problem["line"], problem["code"], problem["reason"]) for problem in problems]
        return LinesOutcome(named, answer["bad_count"] + answer["refused_count"] - len(named))

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fetched(self, call: Call[T]) -> T:
        return call.parse(call.request, self._transport.fetch(call.request))


class Answer:
    """The rows of one read. Nothing is asked before one of the methods is called; each call asks anew.

    A broken answer raises and gives nothing out: a data frame or a file is whole, or it is not there.
    """

    def __init__(self, transport: Transport, read: Read) -> None:
        self._transport = transport
        self._read = read

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table: exact types, `_time` as timestamp[ns] in the zone of the read."""
        request = self._read.request("arrow")
        return as_table(request, self._transport.fetch(request))

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a DataFrame. Integers and booleans that are absent in places stay exact (nullable types)."""
        return as_frame(self.to_arrow())

    def pieces(self, format: str) -> Iterator[bytes]:
        """The answer's bytes in `format`, as they come; raises in the middle when it breaks."""
        with self._transport.stream(self._read.request(format)) as response:
            yield from response.iter_bytes(PIECE_BYTES)

    def to_csv(self, path: str | Path) -> Path:
        """The rows as a CSV file at `path`, replaced only when the answer is whole."""
        return self.save(path, "csv")

    def save(
        self, path: str | Path, format: str | None = None, progress: Callable[[int], object] | None = None
    ) -> Path:
        """The rows as a file, in `format` or the one that the file's ending names.

        The file appears when it is complete; a broken read leaves what was there before.
        `progress` is called with the number of bytes of each piece.
        """
        target = Path(path)
        request = self._read.request(format_of(target, format))
        with self._transport.stream(request) as response, whole_file(target, progress) as write:
            for piece in response.iter_bytes(PIECE_BYTES):
                write(piece)
        return target
