"""Random histories of a bucket that two workers read through their caches, each answer compared with the store's own.

Both workers share one cache, as two processes share a Redis. Buckets can be removed around them. Every choice comes
from one seed, so a history that fails can be played again.
"""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from service.cache.protocol import Cache
from service.domain.durations import SECOND_NS
from service.domain.schema import Bucket, BucketSpec
from service.domain.selection import Fn, Selection, Stamp, Windows
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.encoding.encoders import PLAIN_CSV, Format, Layout, Shape, encode
from service.frames.points import Points
from service.lineprotocol.parser import parse_lines
from service.stores.cached.changes import Changes
from service.stores.cached.lateness import Lateness
from service.stores.cached.limits import CacheLimits, CacheObserver
from service.stores.cached.store import CachedStore
from service.stores.embedded.store import EmbeddedStore
from service.stores.observed import ObservedStore
from service.stores.protocol import Store
from tests.support.caches import SharedCache
from tests.support.clock import Clock
from tests.support.plain_store import PlainStore

BUCKET = "plant"
MINUTE_NS, HOUR_NS, DAY_NS = 60 * SECOND_NS, 3600 * SECOND_NS, 86_400 * SECOND_NS
BEGIN_NS = 1_774_742_400 * SECOND_NS
"""2026-03-29T00:00:00Z, an hour before Berlin's clock goes forward."""
SETTLE_NS, MOST_SETTLE_NS = 600 * SECOND_NS, 2 * HOUR_NS
_PANELS = 6
_FEW_FNS = [Fn.MEAN, Fn.MEAN, Fn.SUM, Fn.COUNT, Fn.LAST, Fn.MAX]


class RemovableStore:
    """A store whose buckets can be removed around the gateway, and made again with another id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers: dict[str, int] = {}
        self.name = store.name

    def remove(self, bucket: str) -> None:
        """Remove a bucket and make it again, empty, as somebody else does."""
        self._numbers[bucket] = self._numbers.get(bucket, 0) + 1
        self.create_bucket(BucketSpec(bucket))

    def bucket(self, name: str) -> Bucket:
        return replace(self._store.bucket(self._inner(name)), name=name)

    def create_bucket(self, spec: BucketSpec) -> bool:
        return self._store.create_bucket(replace(spec, name=self._inner(spec.name)))

    def read(self, selection: Selection) -> Any:
        return self._store.read(replace(selection, bucket=self._inner(selection.bucket)))

    def window_order(self, selection: Selection, plan: Any) -> Any:
        return self._store.window_order(replace(selection, bucket=self._inner(selection.bucket)), plan)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        act = getattr(self._store, method)
        return lambda bucket, *rest: act(self._inner(bucket), *rest)

    def _inner(self, name: str) -> str:
        return f"{name} {self._numbers.get(name, 0)}"


@dataclass(frozen=True)
class Worker:
    """A process: its store as it writes to it, and as it reads it."""

    observed: ObservedStore
    cached: CachedStore
    changes: Changes
    lateness: Lateness


def worker(store: Any, cache: Any, clock: Clock[int], limits: CacheLimits, read: Callable[[str], object]) -> Worker:
    changes = Changes(cache)
    lateness = Lateness(changes.forget)
    limits = replace(limits, late_by_bucket_ns=lateness.by_bucket)
    observed = ObservedStore(store, [lambda change: changes.note(change.bucket, change.ranges)])
    cached = CachedStore(observed, cache, limits, clock, changes, CacheObserver(read=read))
    return Worker(observed, cached, changes, lateness)


def answer(store: Store, selection: Selection, shape: Shape) -> bytes:
    """What a client gets, as CSV."""
    reading = store.read(selection)
    try:
        layout = Layout(Format.CSV, shape, "UTC", selection.bucket, selection.span, "1m", PLAIN_CSV)
        return b"".join(bytes(chunk) for chunk in encode(reading.blocks, reading.plan, layout, None))
    finally:
        reading.cancel()


def parsed(lines: Collection[str]) -> Points:
    return parse_lines("\n".join(lines).encode(), "ns", 0).points


class History:
    """One random history. `step` does one thing; a read raises AssertionError when the answers differ.

    `fns`: the functions of its reads, when they are to be others.
    """

    def __init__(
        self,
        seed: int,
        store: Callable[[Clock[int]], Any] | None = None,
        cache: Callable[[Clock[int]], Cache] | None = None,
        break_cache: Callable[[random.Random], None] | None = None,
        fns: Sequence[Fn] = (),
    ) -> None:
        self.seed = seed
        self.steps = 0
        self._random = random.Random(seed)
        self.clock: Clock[int] = Clock(BEGIN_NS)
        self._shared = SharedCache(lambda: self.clock.now / 1e9)
        caches = [cache(self.clock) if cache else self._shared for _ in range(2)]
        self._damage = break_cache or self._damage_shared
        self._fns = fns or (_FEW_FNS if store is None else [*_FEW_FNS, Fn.FIRST, Fn.MEDIAN, Fn.SPREAD])
        self.inner = RemovableStore((store or PlainStore)(self.clock))
        self.outcomes: dict[str, int] = {}
        self._types_change = store is embedded
        self._panels: dict[int, tuple[Selection, Shape, int]] = {}
        self._settle_ns = SETTLE_NS
        limits = CacheLimits(settle_ns=SETTLE_NS, most_settle_ns=MOST_SETTLE_NS, contents_s=0.0)
        self.workers = [worker(self.inner, one, self.clock, limits, self._count) for one in caches]
        self.workers[0].observed.create_bucket(BucketSpec(BUCKET))
        self._acts: list[tuple[Callable[[], None], float]] = [
            (self._read, 42),
            (self._write, 15),
            (self._write_around, 6),
            (self._delete, 3),
            (self._go_on, 25),
            (self._flush, 2),
            (self._measure_lateness, 1.2),
            (self._break_cache, 1.5),
            (self._remove_bucket, 0.3),
            (self._change_retention, 0.5 if store in (None, embedded) else 0),
            (self._go_back, 0.5),
        ]

    def close(self) -> None:
        for one in self.workers:
            one.cached._threads.shutdown()

    def step(self) -> None:
        acts, weights = zip(*self._acts, strict=True)
        self.steps += 1
        self._random.choices(acts, weights)[0]()

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    @property
    def _worker(self) -> Worker:
        return self._random.choice(self.workers)

    def _read(self) -> None:
        selection, shape = self._selection()
        cached = answer(self._worker.cached, selection, shape)
        plain = answer(self.workers[0].observed, selection, shape)
        assert cached == plain, f"seed {self.seed}, step {self.steps}: {selection}"

    def _selection(self) -> tuple[Selection, Shape]:
        """Mostly what a panel asks again and again as time goes on; panels change seldom."""
        place = self._random.randrange(_PANELS)
        if place not in self._panels or self._random.random() < 0.05:
            drawn, shape = self._drawn()
            self._panels[place] = drawn, shape, self.clock.now - drawn.span.stop_ns
        selection, shape, behind_ns = self._panels[place]
        stop_ns = self.clock.now - behind_ns
        return replace(selection, span=TimeRange(stop_ns - selection.span.length_ns, stop_ns)), shape

    def _drawn(self) -> tuple[Selection, Shape]:
        pick, now_ns = self._random, self.clock.now
        every_ns = pick.choice([MINUTE_NS, MINUTE_NS, MINUTE_NS, 5 * MINUTE_NS, HOUR_NS])
        length_ns = pick.choice([5, 30, 90, 240, 240, 480]) * MINUTE_NS
        stop_ns = now_ns if pick.random() < 0.7 else now_ns - pick.randrange(-HOUR_NS, 6 * HOUR_NS)
        if pick.random() < 0.2:
            stop_ns -= stop_ns % every_ns
        fn = pick.choice(self._fns)
        stamp = pick.choice([Stamp.STOP, Stamp.STOP, Stamp.START])
        months = 1 if pick.random() < 0.02 else 0
        zone = pick.choice(["UTC", "UTC", "Europe/Berlin", "Asia/Kolkata"])
        windows = Windows(0 if months else every_ns, fn, zone, months, stamp)
        tags = pick.choice([(), (), (), (("host", ("a",)),)])
        measurements, fields = pick.choice([((), ()), *[(("m",), ("v",))] * 5, (("m",), ("x",)), (("m",), ("v", "w"))])
        shape = pick.choice([Shape.LONG, Shape.LONG, Shape.WIDE])
        span = TimeRange(stop_ns - length_ns * (200 if months else 1), stop_ns)
        return Selection(BUCKET, span, windows, measurements, fields, tags, complete_rows=shape is Shape.WIDE), shape

    def _write(self) -> None:
        """Through a worker: late, now, or in the future, and often what is there already."""
        pick = self._random
        center_ns = self.clock.now + pick.choice([0, 0, 0, -HOUR_NS, -4 * HOUR_NS, HOUR_NS])
        self._worker.observed.write(BUCKET, parsed(self._lines(center_ns)))

    def _write_around(self) -> None:
        """Past the gateway, and younger than the settle time; whoever shares a tail knows of it a second later."""
        first_ns = self.clock.now - self._settle_ns
        self.inner.write(BUCKET, parsed(self._lines(first_ns + 5 * MINUTE_NS, 5 * MINUTE_NS)))
        self.clock.now += SECOND_NS + 1

    def _lines(self, center_ns: int, reach_ns: int = 20 * MINUTE_NS) -> list[str]:
        pick, lines = self._random, []
        for _ in range(pick.randrange(1, 6)):
            time_ns = center_ns + pick.randrange(-reach_ns, reach_ns)
            time_ns -= pick.choice([0, time_ns % MINUTE_NS])
            host = pick.choice(["", ",host=a", ",host=b", ",host=b,zone=z", ",area=n"])
            kind = "i" if self._types_change and (time_ns // DAY_NS) % 2 else ".5"
            number = pick.randrange(40)
            value = pick.choice([f"v={number / 4}", f"w={number}i", f"x={number}{kind}"])
            name = pick.choice(["m", "m", "other", "t"])
            field = f's="{number}"' if name == "t" else value
            lines.append(f"{name}{host} {field} {time_ns}")
        return lines

    def _delete(self) -> None:
        start_ns = self.clock.now - self._random.randrange(8 * HOUR_NS)
        tags = self._random.choice([(), (("host", "a"),), (("host", "b"),)])
        span = TimeRange(start_ns, start_ns + self._random.choice([MINUTE_NS, HOUR_NS]))
        self._worker.observed.delete_points(BUCKET, SeriesKey(self._random.choice(["m", "other"]), tags), span)

    def _go_on(self) -> None:
        self.clock.now += self._random.choice([SECOND_NS, 10 * SECOND_NS, 10 * SECOND_NS, MINUTE_NS, 17 * MINUTE_NS])

    def _go_back(self) -> None:
        """The clock is set back, and forward again: what was kept under either is right all the same."""
        self.clock.now += self._random.choice([-HOUR_NS, -2 * MINUTE_NS, 7 * HOUR_NS])
        self._read()

    def _flush(self) -> None:
        self._worker.cached.flush(BUCKET, TimeRange(self.clock.now - HOUR_NS, self.clock.now))

    def _break_cache(self) -> None:
        """Damage the cache; then it is what it was, and each worker has told it what it could not tell before."""
        self._damage(self._random)
        if not self._shared.away:
            for one in self.workers:  # as their threads do within a second
                one.changes.stamp(BUCKET)

    def _damage_shared(self, pick: random.Random) -> None:
        """The shared cache comes back or goes away, loses everything or an entry, or holds what is none of ours."""
        self._shared.away = not self._shared.away and pick.random() < 0.2
        act = pick.choice([self._shared.close, lambda: self._shared.spoil(pick), lambda: self._shared.lose_one(pick)])
        act()

    def _measure_lateness(self) -> None:
        """A mirror measured late points of the bucket, or has seen none for days; from now on they are as late."""
        late_ns = self._random.choice([0, 4 * MINUTE_NS, 25 * MINUTE_NS, 50 * MINUTE_NS, 50 * MINUTE_NS, 3 * HOUR_NS])
        for one in self.workers:
            one.lateness.put({BUCKET: late_ns})
        self._settle_ns = min(max(late_ns, SETTLE_NS), MOST_SETTLE_NS)
        for _ in range(3):
            self._write_around()

    def _remove_bucket(self) -> None:
        self.inner.remove(BUCKET)

    def _change_retention(self) -> None:
        retention_ns = self._random.choice([0, 3 * HOUR_NS, 5 * HOUR_NS])
        self._worker.observed.update_bucket(BUCKET, "", retention_ns)


def embedded(clock: Clock[int]) -> EmbeddedStore:
    return EmbeddedStore(Path(":memory:"), memory_mb=256, threads=1, shard_ns=HOUR_NS, clock=clock)
