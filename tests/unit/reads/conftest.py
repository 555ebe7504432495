"""Reads over an embedded store, and no application: what a job, a web page or an export has at hand."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.cache.answers import AnswerCache
from service.cache.memory import MemoryCache
from service.domain.access import Principal, Scope
from service.domain.durations import SECOND_NS
from service.domain.schema import BucketSpec
from service.domain.selection import Selection
from service.frames.frame import Reading
from service.lineprotocol.parser import parse_lines
from service.reads.bucket_reads import BucketReads, ReadAnswer
from service.reads.limits import ReadLimits
from service.reads.question import AskedRead
from service.reads.slots import Slots
from service.reads.streams import ReadObserver
from service.reads.telemetry import LatestAnswer, TelemetryReads
from service.reads.telemetry_document import Place
from service.stores.embedded.store import EmbeddedStore

NOW_NS = 1_767_268_800 * SECOND_NS
"""2026-01-01T12:00:00Z."""
EVERYBODY = Principal("a", "a", frozenset({Scope.READ}))
LIMITS = ReadLimits(
    max_windows=1000,
    timeout_s=60,
    cache_closed_s=3600,
    cache_open_s=20,
    cache_telemetry_s=0,
    telemetry_word="real",
    store_identity="of the test",
)


class Store(EmbeddedStore):
    """An embedded store that lets a test act just before a read begins."""

    before_read: Callable[[], None] = staticmethod(lambda: None)

    def read(self, selection: Selection) -> Reading:
        self.before_read()
        return super().read(selection)


class Reader:
    """Two slots, a cache in memory, and a clock that stands until the test moves it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now_ns = NOW_NS
        self.place = Place(1, 52.5, 13.4)
        self.slots = Slots(2)
        self.rows: list[int] = []
        self.ended = threading.Semaphore(0)
        cache = MemoryCache(10_000_000, lambda: self.now_ns / SECOND_NS)
        answers = AnswerCache(cache, 100_000, lambda: self.now_ns / SECOND_NS)
        observer = ReadObserver(rows=self.rows.append, ended=self.ended.release)
        parts = (store, answers, self.slots, LIMITS)
        self.reads = BucketReads(*parts, observer)
        self.telemetry = TelemetryReads(*parts, lambda: self.place, lambda: self.now_ns, observer)

    def write(self, bucket: str, lines: str) -> None:
        self.store.create_bucket(BucketSpec(bucket))
        parsed = parse_lines(lines.encode(), "s", self.now_ns)
        assert self.store.write(bucket, parsed.points).stored == len(lines.splitlines())

    def read(self, asked: AskedRead, key_id: str = "a") -> ReadAnswer:
        return self.reads.read(asked.at(self.now_ns, LIMITS.max_windows), key_id)

    def wait_for_the_end_of_a_read(self) -> None:
        assert self.ended.acquire(timeout=30)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    path = tmp_path / "store.duckdb"
    store = Store(path, memory_mb=256, threads=2, shard_ns=7 * 86_400 * SECOND_NS, clock=lambda: NOW_NS)
    yield Reader(store)
    for thread in threading.enumerate():
        if thread.name == "answer":
            thread.join(30)
    store.close()


def body(answer: ReadAnswer | LatestAnswer) -> bytes:
    try:
        return b"".join(answer.served.chunks)
    finally:
        answer.served.close()
