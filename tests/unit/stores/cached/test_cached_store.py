"""What the cached store asks for, what it shares, what it drops, and what it finds by checking itself."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from service.cache.memory import MemoryCache
from service.domain.schema import BucketSpec
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import TimeRange
from service.encoding.encoders import Shape
from service.errors import StoreBroken
from service.stores.cached.changes import Changes
from service.stores.cached.kept_windows import Found
from service.stores.cached.limits import CacheLimits, CacheObserver
from service.stores.cached.self_check import SelfCheck
from service.stores.cached.store import CachedStore
from service.stores.observed import ObservedStore
from tests.support.cache_model import BEGIN_NS, HOUR_NS, MINUTE_NS, answer, parsed
from tests.support.caches import SharedCache
from tests.support.clock import Clock
from tests.support.plain_store import PlainStore
from tests.support.waiting import until

BUCKET = "plant"
S = 1_000_000_000


class Site:
    """A plain store with ten hours of two series, its cached store, and the ranges that were asked."""

    def __init__(self, max_bytes: int = 10**8, cache: MemoryCache | None = None, **limits: Any) -> None:
        self.clock: Clock[int] = Clock(BEGIN_NS + 30 * S)
        self.plain = PlainStore(self.clock)
        self.asked: list[TimeRange] = []
        self.stale = self.waits = 0
        self.outcomes: list[str] = []
        self.gate: threading.Event | None = None
        read = self.plain.read

        def counted(selection: Selection) -> Any:
            self.asked.append(selection.span)
            if self.gate is not None:
                assert self.gate.wait(20)
            return read(selection)

        self.plain.read = counted  # type: ignore[method-assign]
        self.cache = cache or MemoryCache(max_bytes, lambda: self.clock.now / 1e9)
        self.changes = Changes(self.cache)
        self.store = ObservedStore(
            self.plain,  # type: ignore[arg-type]
            [lambda change: self.changes.note(change.bucket, change.ranges)],
        )
        observer = CacheObserver(
            stale_found=self._count_stale, waits=self._count_wait, read=lambda outcome: self.outcomes.append(outcome)
        )
        share = limits.pop("checked", 0)
        self.check = SelfCheck(self.store, self.changes, share, observer, random.Random(1), lambda _: None)
        self.cached = CachedStore(
            self.store, self.cache, CacheLimits(**limits), self.clock, self.changes, observer, self.check.consider
        )
        self.store.create_bucket(BucketSpec(BUCKET))
        self.write(
            *(f"m,host={host} v={minute % 7} {BEGIN_NS - minute * MINUTE_NS}" for minute in range(600) for host in "ab")
        )

    def write(self, *lines: str) -> None:
        self.store.write(BUCKET, parsed(lines))

    def _count_stale(self, number: float) -> None:
        self.stale += int(number)

    def _count_wait(self, number: float) -> None:
        self.waits += int(number)

    def selection(
        self, hours: float = 4, every_ns: int = MINUTE_NS, fn: Fn = Fn.MEAN, stop_ns: int | None = None
    ) -> Selection:
        stop_ns = self.clock.now if stop_ns is None else stop_ns
        return Selection(BUCKET, TimeRange(stop_ns - int(hours * HOUR_NS), stop_ns), Windows(every_ns, fn))

    def ask(self, **question: Any) -> bytes:
        return answer(self.cached, self.selection(**question), Shape.LONG)

    def minutes_asked(self) -> list[tuple[int, int]]:
        """The ranges that were asked, in minutes before the beginning; then they are forgotten."""
        ranges = [
            ((span.start_ns - BEGIN_NS) // MINUTE_NS, (span.stop_ns - BEGIN_NS) // MINUTE_NS) for span in self.asked
        ]
        self.asked.clear()
        return ranges


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.cached.close()


def test_a_refresh_asks_for_both_ends_alone(site: Site) -> None:
    site.ask()
    assert site.minutes_asked() == [(-240, 0)]
    site.clock.now += 10 * S
    site.ask()
    assert sorted(site.minutes_asked()) == [(-240, -239), (-10, 0)]


def test_a_longer_range_asks_for_what_it_has_more(site: Site) -> None:
    site.ask(hours=1)
    site.asked.clear()
    site.clock.now += 10 * S
    site.ask(hours=3)
    assert sorted(site.minutes_asked()) == [(-180, -59), (-10, 0)]


def test_a_write_drops_the_windows_that_it_touches_and_no_others(site: Site) -> None:
    closed = {"hours": 4, "stop_ns": BEGIN_NS - HOUR_NS}
    site.ask(**closed)
    site.asked.clear()
    site.write(f"m,host=a v=100 {BEGIN_NS - 120 * MINUTE_NS + S}")
    assert b",100," in site.ask(**closed) or b"50" in site.ask(**closed)
    assert site.minutes_asked() == [(-120, -119)]


def test_another_length_of_windows_is_asked_anew(site: Site) -> None:
    closed = {"hours": 4, "stop_ns": BEGIN_NS - HOUR_NS}
    site.ask(**closed)
    site.asked.clear()
    site.ask(every_ns=2 * MINUTE_NS, **closed)
    site.ask(fn=Fn.MAX, **closed)
    assert site.minutes_asked() == [(-300, -60)] * 2


def test_a_field_that_appears_later_leaves_kept_windows_as_they_are(site: Site) -> None:
    closed = {"hours": 4, "stop_ns": BEGIN_NS - HOUR_NS}
    site.ask(**closed)
    site.asked.clear()
    site.write(f"m,host=a,zone=z w=1i {BEGIN_NS}")
    assert site.ask(**closed) == answer(site.store, site.selection(**closed), Shape.LONG)
    assert site.minutes_asked() == [(-300, -60)]  # asked by the store of the comparison


def test_windows_are_asked_again_when_they_are_old() -> None:
    site = Site(kept_s=60)
    closed = {"hours": 4, "stop_ns": BEGIN_NS - HOUR_NS}
    site.ask(**closed)
    site.clock.now += 59 * S
    site.ask(**closed)
    assert len(site.asked) == 1
    site.clock.now += 2 * S
    site.ask(**closed)
    assert len(site.asked) == 2
    site.cached.close()


def test_a_read_that_fails_keeps_nothing(site: Site) -> None:
    def broken() -> Iterator[Any]:
        raise StoreBroken("cut off")
        yield ()

    read = site.plain.read
    site.plain.read = lambda selection: type(read(selection))(read(selection).plan, broken(), lambda: None)  # type: ignore[method-assign]
    with pytest.raises(StoreBroken):
        site.ask()
    site.plain.read = read  # type: ignore[method-assign]
    site.asked.clear()
    site.ask()
    assert site.minutes_asked() == [(-240, 0)]


def test_fifty_cold_reads_ask_once(site: Site) -> None:
    site.gate = threading.Event()
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(site.ask())) for _ in range(50)]
    for thread in threads:
        thread.start()
    until(lambda: bool(site.asked))
    site.gate.set()
    for thread in threads:
        thread.join(30)
    assert (len(answers), len(set(answers))) == (50, 1)
    assert site.minutes_asked() == [(-240, 0)]


def test_a_first_reader_that_leaves_fails_nobody(site: Site) -> None:
    selection = site.selection()
    leaving = site.cached.read(selection)
    answers: list[bytes] = []
    waiting = threading.Thread(target=lambda: answers.append(site.ask()))
    waiting.start()
    leaving.cancel()
    waiting.join(30)
    assert answers == [answer(site.store, selection, Shape.LONG)]


class Leaving(SharedCache):
    """Another process has the first lock that is asked for, and then the cache is away."""

    has_left = False

    def lock(self, key: str, ttl_s: float) -> str | None:
        if self.has_left:
            return super().lock(key, ttl_s)
        self.has_left = self.away = True
        return None


def test_nobody_waits_for_a_read_that_lost_the_cache_while_it_waited() -> None:
    """It had claimed what it lacked, and never gave that back: whoever asked for the same waited ten seconds."""
    cache = Leaving()
    site = Site(cache=cache)
    site.ask()
    assert (site.outcomes, site.waits) == (["bypass; reason=cache-away"], 1)
    cache.away = False
    site.ask()
    assert (site.outcomes[1:], site.waits) == (["miss"], 1)
    site.cached.close()


def test_the_cache_in_the_process_stays_within_its_bound() -> None:
    site = Site(max_bytes=60_000)
    for fn in (Fn.MEAN, Fn.MAX, Fn.SUM, Fn.COUNT, Fn.LAST):
        site.ask(hours=9, fn=fn)
    usage = site.cache.usage()
    assert usage.size_bytes <= usage.most_bytes == 60_000
    assert usage.evictions > 0
    site.cached.close()


def test_the_self_check_finds_what_changed_around_the_gateway() -> None:
    site = Site(checked=1.0)
    closed = {"hours": 1, "stop_ns": BEGIN_NS - HOUR_NS}
    site.ask(**closed)
    site.ask(**closed)
    site.check.join(10)
    assert (site.stale, len(site.asked)) == (0, 2)  # by the first read, and once by the check
    for minute in range(65, 115):
        site.plain.write(BUCKET, parsed([f"m,host=a v=1000 {BEGIN_NS - minute * MINUTE_NS + S}"]))
    with structlog.testing.capture_logs() as logs:
        lie = site.ask(**closed)
        site.check.join(10)
    assert site.stale == 1
    (line,) = [one for one in logs if one["log_level"] == "error"]
    assert (line["bucket"], line["event"]) == (BUCKET, "kept windows differ from the store")
    assert "host" in line["stored"]
    assert site.ask(**closed) == answer(site.store, site.selection(**closed), Shape.LONG) != lie
    site.cached.close()


def test_entries_that_cannot_be_used_are_dropped_and_the_answer_is_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a disk or a bug had changed the bytes so that they still unpack."""
    closed = {"hours": 4, "stop_ns": BEGIN_NS - HOUR_NS}
    expected = site.ask(**closed)

    def broken(*_: Any) -> Any:
        raise ValueError("no such column")

    monkeypatch.setattr(Found, "frames_in", broken)
    with structlog.testing.capture_logs() as logs:
        assert site.ask(**closed) == expected
    assert [line["event"] for line in logs] == ["kept windows are broken and were dropped"]
