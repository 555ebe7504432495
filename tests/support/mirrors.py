"""Mirrors for tests: any two stores, a section as a user writes it, and a job context that keeps every call."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.domain.endpoint import EMBEDDED, Endpoint
from service.domain.job import Json
from service.domain.selection import Selection
from service.domain.series import FieldSeries
from service.domain.timerange import EVER
from service.frames.series_digest import SeriesDigest, SeriesDigester
from service.jobs.mirror.registry import MirrorRegistry, mirrors_section
from service.jobs.mirror.runnable import MirrorRunnable
from service.state.database import StateDatabase
from service.stores.influx.store import InfluxStore
from service.stores.opener import OpenStore
from service.stores.protocol import Store

A, B, C = "http://a.test:8086", "http://b.test:8086", "http://c.test:8086"
OWN = Endpoint(None, "", "", EMBEDDED, is_remote=False)


class KeptContext:
    """A job context that nothing interrupts, unless `interrupt` raises.

    Waits are short, and kept in `slept`.
    """

    job_id = "test"

    def __init__(self, interrupt: Callable[[], None] = lambda: None) -> None:
        self.checkpoint: Json = {}
        self.saved: list[Json] = []
        self.lines: list[tuple[str, str]] = []
        self.slept: list[float] = []
        self.progress_calls: list[tuple[int, int | None, str]] = []
        self._interrupt = interrupt

    def save(self, checkpoint: Mapping[str, Any]) -> None:
        self._interrupt()
        self.saved.append(dict(checkpoint))

    def progress(self, done: int, total: int | None, unit: str) -> None:
        self.progress_calls.append((done, total, unit))

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def check(self) -> None:
        self._interrupt()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        time.sleep(min(seconds, 0.05))


class Rig:
    """A mirror named `m` between two stores of the test. `stores`: by url; the gateway's own is under None."""

    def __init__(self, folder: Path, stores: Mapping[str | None, Store], state: StateDatabase | None = None) -> None:
        self.folder = folder
        self.stores = dict(stores)
        self.state = state or StateDatabase.in_directory(folder)
        self.state.migrate()
        self.section: dict[str, Any] = {}
        self.clock: Callable[[], float] = time.time
        self.opened: list[Endpoint] = []

    def configure(self, name: str = "m", **members: Any) -> None:
        text = {"source": side(A), "target": side(B), **members}
        self.section[name] = text
        mirrors_section(OWN).model.model_validate(self.section)

    @property
    def kind(self) -> MirrorRunnable:
        registry = MirrorRegistry(lambda: self.section, OWN, None, self.folder / "mirrors.yaml")
        return MirrorRunnable(registry, self.state, self._open, self.folder, lambda: self.clock())

    @contextmanager
    def _open(self, endpoint: Endpoint) -> Iterator[OpenStore]:
        self.opened.append(endpoint)
        store = self.stores[endpoint.url]
        yield OpenStore(store, store.moved_bytes if isinstance(store, InfluxStore) else lambda: 0)

    def run(self, context: KeptContext | None = None, **parameters: Any) -> Json:
        """Order and run the mirror `m`; its result."""
        order = {"mirror": "m", **parameters}
        kind = self.kind
        kind.validate(order)
        return kind.run(order, context or KeptContext())

    def pair(self, **parameters: Any) -> Json:
        """The same, and what it says of its one pair."""
        result: Json = self.run(**parameters)["pairs"][0]
        return result


def side(url: str, token: str = "a-token", org: str = "test") -> dict[str, str]:
    return {"url": url, "org": org, "token": token}


def digests(store: Store, bucket: str) -> dict[FieldSeries, SeriesDigest]:
    """Of every point of a bucket, read raw: two buckets are equal when these are."""
    digester = SeriesDigester()
    reading = store.read(Selection(bucket, EVER))
    try:
        for block in reading.blocks:
            for frame in block:
                digester.add(frame)
    finally:
        reading.cancel()
    return digester.series


def points(store: Store, bucket: str) -> int:
    return sum(digest.count for digest in digests(store, bucket).values())
