"""One gateway as a Python object: what there is to read, reads, the latest telemetry, and writes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

from fluxgate.answer import Answer
from fluxgate.wire import Wire

Names = str | Iterable[str] | None
Moment = str | dt.datetime | None


def connect(url: str, key: str | None = None, timeout_s: float = 120.0) -> Gateway:
    """A gateway at `url`. Nothing is sent yet. `timeout_s` bounds each wait for bytes."""
    return Gateway(Wire(url, key, timeout_s))


class Gateway:
    """Reads and writes of one key at one gateway; may be used as a context manager."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def read(
        self,
        bucket: str,
        *,
        window: str | None = None,
        start: Moment = None,
        stop: Moment = None,
        every: str | None = None,
        fn: str | None = None,
        measurement: Names = None,
        field: Names = None,
        tags: Mapping[str, Names] | None = None,
        shape: str | None = None,
        tz: str | None = None,
        limit: int | None = None,
    ) -> Answer:
        """A read of `bucket`, to be taken with `.to_pandas()`, `.to_arrow()` or `.save(path)`.

        Parameters are those of `GET /buckets/{name}`; what is left out has the gateway's default.
        Several names in one filter mean "or". Datetimes must be aware.
        """
        simple = {"window": window, "start": _moment(start), "stop": _moment(stop), "every": every, "fn": fn, "shape": shape, "tz": tz}
        parameters = [(name, value) for name, value in simple.items() if value is not None]
        filters = {"measurement": measurement, "field": field, **{f"tag.{key}": values for key, values in (tags or {}).items()}}
        parameters += [(name, value) for name, values in filters.items() for value in _names(values)]
        if limit is not None:
            parameters.append(("limit", str(limit)))
        return Answer(self._wire, _path(bucket), parameters)

    def buckets(self) -> list[dict[str, Any]]:
        """The buckets that the key may see."""
        return list(self._wire.get("/buckets").json()["buckets"])

    def create_buckets(self, wanted: Any) -> dict[str, list[str]]:  # noqa: ANN401  (JSON as the caller has it)
        """Make buckets of `{"name", "description", "retention"}`; returns the names `created` and those `existing` already."""
        body = json.dumps(wanted).encode()
        with self._wire.stream("POST", "/buckets", (), body, {"Content-Type": "application/json"}) as response:
            response.read()
            return dict(response.json())

    def schema(self, bucket: str) -> dict[str, Any]:
        """Measurements of a bucket with their fields, types and tag keys."""
        return dict(self._wire.get(f"{_path(bucket)}/schema").json())

    def latest(self, *, bucket: Names = None, measurement: Names = None, lookback: str | None = None) -> dict[str, Any]:
        """The latest telemetry in the ThingsBoard shape: `{"ts": ms, "values": {...}}`."""
        parameters = [("bucket", name) for name in _names(bucket)] + [("measurement", name) for name in _names(measurement)]
        if lookback is not None:
            parameters.append(("lookback", lookback))
        return dict(self._wire.get("/telemetry/latest", parameters).json())

    def write(self, bucket: str, lines: str | bytes, *, precision: str = "ns", partial: bool = False) -> dict[str, Any]:
        """Store line protocol. Returns `{"stored": n, ...}`; raises `GatewayRefused` naming each bad line."""
        body = lines.encode() if isinstance(lines, str) else lines
        parameters = [("precision", precision), ("partial", str(partial).lower())]
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        with self._wire.stream("POST", f"{_path(bucket)}/points", parameters, body, headers) as response:
            response.read()
            return dict(response.json())

    def close(self) -> None:
        self._wire.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _path(bucket: str) -> str:
    return f"/buckets/{quote(bucket, safe='')}"


def _names(names: Names) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def _moment(moment: Moment) -> str | None:
    if isinstance(moment, dt.datetime):
        if moment.utcoffset() is None:
            raise ValueError(f"{moment!r} has no time zone: a naive time means nothing. Add tzinfo=datetime.UTC or a ZoneInfo.")
        return moment.isoformat()
    return moment
