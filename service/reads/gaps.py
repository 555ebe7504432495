"""Finds out where the series of a bucket have no points: every point of the range is read, and none is sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import orjson

from service.cache.answers import AnswerCache, CancelToken, Served
from service.cache.single_flight import Produced
from service.domain.selection import ReadPlan, Selection
from service.domain.series import has_tags
from service.domain.timerange import EARLIEST_NS, TimeRange, format_time
from service.errors import InvalidParameter
from service.frames.frame import Reading
from service.frames.row_series import series_times
from service.frames.series_gaps import Coverage, Gap, GapFinder, UntypedSeries
from service.reads.facts import NameList, ReadFacts
from service.reads.limits import ReadLimits
from service.reads.question import Question
from service.reads.slots import Slots
from service.reads.streams import UNOBSERVED, ReadObserver, measured
from service.stores.protocol import Store

MOST_SERIES = 10_000
_SECOND_NS = 1e9


@dataclass(frozen=True)
class GapQuestion:
    """`points`: which points are looked at, a raw read. `expect_ns`: how far apart they may be; None: what each series
    usually does.

    A series with points in the `known_ns` before the range belongs to the answer, also when it has none in the range.
    `most_gaps`: so many of each series are named, the longest.
    """

    points: Question
    expect_ns: int | None
    known_ns: int
    most_gaps: int

    @property
    def key(self) -> str:
        """The name of the question in the cache."""
        return repr((self.points.key, self.expect_ns, self.known_ns, self.most_gaps))


@dataclass(frozen=True)
class GapAnswer:
    """A JSON document. The bytes are `served.chunks`; whoever takes them calls `served.close` at the end."""

    facts: ReadFacts
    served: Served


class GapReads:
    """May be used from many threads."""

    def __init__(
        self,
        store: Store,
        answers: AnswerCache,
        slots: Slots,
        limits: ReadLimits,
        observer: ReadObserver = UNOBSERVED,
    ) -> None:
        self._store = store
        self._answers = answers
        self._slots = slots
        self._limits = limits
        self._observer = observer

    def gaps(
        self,
        question: GapQuestion,
        key_id: str,
        fresh: bool = False,
        cancel_token: CancelToken | None = None,
    ) -> GapAnswer:
        """The answer. `fresh` does not look in the cache. `cancel_token` ends the read when the reader leaves.

        Raises: InvalidParameter (too many series), TooManyReads, what the store raises.
        """
        name = f"{self._limits.store_identity}\0gaps\0{question.key}"
        buckets, ttl_s = [question.points.selection.bucket], self._limits.kept_s(question.points)
        produce = partial(self._produce, question, key_id)
        served = self._answers.serve(name, buckets, ttl_s, produce, fresh, cancel_token, self._limits.cache_stale_s)
        return GapAnswer(ReadFacts.from_texts(served.headers), served)

    def _produce(self, question: GapQuestion, key_id: str) -> Produced:
        selection = question.points.selection
        reading, end = self._slots.begin(key_id, lambda: self._store.read(selection), self._observer.ended)
        try:
            before = self._before(question, reading.plan)
        except BaseException:
            end()
            raise
        unknown = NameList.of_unknown(reading.plan.unknown)
        facts = ReadFacts(selection.span, self._store.name, unknown=unknown)
        return Produced(facts.texts(), self._body(question, reading, before), end)

    def _before(self, question: GapQuestion, plan: ReadPlan) -> dict[UntypedSeries, int]:
        """The last point of each selected series in `known_ns` before the range."""
        selection = question.points.selection
        start_ns = selection.span.start_ns
        first_ns = max(start_ns - question.known_ns, EARLIEST_NS)
        names = {measurement.name for measurement in plan.measurements}
        if first_ns >= start_ns or not names:
            return {}
        latest = self._store.latest(selection.bucket, TimeRange(first_ns, start_ns), "", names)
        before: dict[UntypedSeries, int] = {}
        for frame in latest.frames:
            for series, time_ns in series_times(frame):
                key = series.key, series.field
                if _is_selected(selection, key):
                    before[key] = max(time_ns, before.get(key, time_ns))
        return before

    def _body(self, question: GapQuestion, reading: Reading, before: dict[UntypedSeries, int]) -> Iterator[bytes]:
        span = question.points.selection.span
        finder = GapFinder(span, question.expect_ns, question.most_gaps, before)
        for block in measured(reading.blocks, self._limits.timeout_s, self._observer):
            for frame in block:
                finder.add(frame)
            if len(finder) > MOST_SERIES:
                reason = f"The answer would name more than {MOST_SERIES:,} series."
                raise InvalidParameter("measurement", f"{reason} Select measurements, fields or tags.")
        yield document(question, finder.coverages(), self._store.name)


def _is_selected(selection: Selection, key: UntypedSeries) -> bool:
    series, field = key
    return (not selection.fields or field in selection.fields) and has_tags(series.tags, selection.tags)


def document(question: GapQuestion, coverages: dict[UntypedSeries, Coverage], store: str) -> bytes:
    """The answer as JSON. Times are RFC 3339 with nanoseconds, lengths are seconds, shares lie between 0 and 1."""
    selection, span = question.points.selection, question.points.selection.span
    members = {
        "bucket": selection.bucket,
        "start": format_time(span.start_ns),
        "stop": format_time(span.stop_ns),
        "expect_s": _seconds(question.expect_ns),
        "store": store,
        "silent": sum(coverage.is_silent for coverage in coverages.values()),
        "series": [_series(key, coverage) for key, coverage in coverages.items()],
    }
    return orjson.dumps(members)


def _series(key: UntypedSeries, coverage: Coverage) -> dict[str, object]:
    series, field = key
    is_known = coverage.expect_ns is not None and coverage.watched is not None
    share = coverage.covered_ns / coverage.watched.length_ns if is_known and coverage.watched else None
    return {
        "measurement": series.measurement,
        "tags": dict(series.tags),
        "field": field,
        "points": coverage.points,
        "first": _time(coverage.first_ns),
        "last": _time(coverage.last_ns),
        "expect_s": _seconds(coverage.expect_ns),
        "covered": share,
        "silent": coverage.is_silent if is_known else None,
        "gap_count": coverage.gap_count,
        "gaps": [_gap(gap) for gap in coverage.gaps],
    }


def _gap(gap: Gap) -> dict[str, object]:
    return {
        "start": format_time(gap.start_ns),
        "stop": None if gap.is_open else format_time(gap.stop_ns),
        "seconds": gap.length_ns / _SECOND_NS,
    }


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else format_time(time_ns)


def _seconds(length_ns: int | None) -> float | None:
    return None if length_ns is None else length_ns / _SECOND_NS
