"""The two sides of a pair of buckets, as the mirror compares them: what each slice holds, by counts or by values, and the points themselves."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from service.domain.mirror import Endpoint
from service.domain.mirror_slices import Part
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import LATEST_NS, TimeRange
from service.errors import FluxgateError, StoreTimeout
from service.frames.digest import Digester, SeriesDigest, SeriesName
from service.frames.frame import Block
from service.frames.slices import SliceDigest, SliceDigester, summed
from service.stores.protocol import Store

S = TypeVar("S")
T = TypeVar("T")
Tallies = dict[int, SliceDigest]
Totals = Mapping[int, int]
"""How many points each slice holds, by its start."""
SeriesDigests = Mapping[SeriesName, SeriesDigest]
SeriesCounts = Counter[SeriesName]
"""How many points each series has, by measurement, tags, field and type."""
_SETTINGS = {"INFLUXDB_URL": "url", "INFLUXDB_TOKEN": "token", "INFLUXDB_ORG": "org"}
_NEEDED = {"source": "read the buckets that are mirrored", "target": "read and write the buckets that are mirrored"}


@contextmanager
def told_by(role: str, endpoint: Endpoint) -> Iterator[None]:
    """An error of a store says which side it is, and speaks of the mirror's members instead of the gateway's settings."""
    try:
        yield
    except FluxgateError as broken:
        before = f"The {role} ({endpoint}): "
        if not broken.message.startswith(before):
            message = broken.message
            for setting, member in _SETTINGS.items() if endpoint.url is not None else ():
                message = message.replace(setting, f"the mirror's {role}.{member}")
            message = message.replace("read and write the buckets served", _NEEDED[role])
            broken.message = before + message
            broken.args = (broken.message,)
        raise


@dataclass(frozen=True)
class Side:
    """A bucket of one store. `windows`: what its points are aggregated to before anything is compared. `stamped_at_stop`:
    its times are the stops of windows, so that a time on an edge belongs to the slice before."""

    role: str
    endpoint: Endpoint
    store: Store
    bucket: str
    windows: Windows | None = None
    stamped_at_stop: bool = False

    def tally(self, parts: Sequence[Part], span: TimeRange, step_ns: int) -> Tallies:
        """What each slice holds, as cheaply as it can be known: counts. Of windows, their values."""
        if self.stamped_at_stop:
            return self.digest(parts, span, step_ns)
        digester = SliceDigester(step_ns, stamped_at_stop=True)
        last_ns = min(span.stop_ns, LATEST_NS)  # no window holds the very last instant
        if span.start_ns < last_ns:
            for part, own in _within(parts, TimeRange(span.start_ns, last_ns)):
                counts = Selection(self.bucket, own, Windows(step_ns, Fn.COUNT), measurements=part.measurements)
                for frame in chain.from_iterable(self._read(counts)):
                    digester.add_counts(frame)
        if span.stop_ns <= LATEST_NS:
            return digester.slices
        last = self.digest(parts, TimeRange(LATEST_NS, LATEST_NS + 1), step_ns)
        counted = {start_ns: replace(one, values=(0, 0)) for start_ns, one in last.items()}
        return summed((digester.slices, counted))

    def totals(self, parts: Sequence[Part], span: TimeRange, step_ns: int) -> Totals | None:
        """How many points each slice holds, of all series together. None: the store cannot tell, or not before its time is up, and `tally`,
        whose answer comes bit by bit, is due."""
        if self.stamped_at_stop:
            return None
        totals = Counter[int]()
        for part, own in _within(parts, span):
            try:
                with told_by(self.role, self.endpoint):
                    found = self.store.count_points(self.bucket, part.measurements, own, step_ns)
            except StoreTimeout:
                return None
            if found is None:
                return None
            totals.update(found)
        return totals

    def digest(self, parts: Sequence[Part], span: TimeRange, step_ns: int) -> Tallies:
        """What each slice holds, by every value."""
        digester = SliceDigester(step_ns, self.stamped_at_stop)
        for frame in chain.from_iterable(self.blocks(parts, span)):
            digester.add(frame)
        return digester.slices

    def series(self, parts: Sequence[Part], span: TimeRange) -> SeriesDigests:
        """What each series holds in `span`, a slice."""
        digester = Digester()
        for frame in chain.from_iterable(self.blocks(parts, span)):
            digester.add(frame)
        return digester.series

    def blocks(self, parts: Sequence[Part], span: TimeRange) -> Iterator[Block]:
        """The points, or windows, of whole slices. A block holds complete rows."""
        for part, own in _within(parts, span):
            shifted = own
            if self.stamped_at_stop and self.windows is None:
                shifted = TimeRange(own.start_ns + 1, min(own.stop_ns, LATEST_NS) + 1)
            yield from self._read(Selection(self.bucket, shifted, self.windows, measurements=part.measurements, complete_rows=True))

    def _read(self, selection: Selection) -> Iterator[Block]:
        with told_by(self.role, self.endpoint):
            reading = self.store.read(selection)
            try:
                yield from reading.blocks
            finally:
                reading.cancel()


def both(ask: Callable[[S], T], source: S, target: S) -> tuple[T, T]:
    """What both sides answer, asked at the same time."""
    with ThreadPoolExecutor(1, "mirror-target") as beside:
        there = beside.submit(ask, target)
        here = ask(source)
        return here, there.result()


def counts_of(series: SeriesDigests) -> SeriesCounts:
    return Counter({name: digest.count for name, digest in series.items()})


def _within(parts: Sequence[Part], span: TimeRange) -> Iterator[tuple[Part, TimeRange]]:
    for part in parts:
        start_ns, stop_ns = max(span.start_ns, part.start_ns), min(span.stop_ns, part.stop_ns)
        if start_ns < stop_ns:
            yield part, TimeRange(start_ns, stop_ns)
