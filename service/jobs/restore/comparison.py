"""Holds a restored bucket against the backup, slice by slice, as the target shows it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.durations import SECOND_NS
from service.domain.job import Json
from service.domain.slicing import MeasurementRange, slice_start
from service.domain.timerange import EVER, TimeRange
from service.frames.series_digest import SeriesDigest
from service.frames.slice_digest import SliceDigest
from service.jobs.backup.report import span_json
from service.jobs.restore.plan import PlannedSlice
from service.jobs.restore.run_tools import RunTools
from service.jobs.restore.slice_source import SliceSource
from service.stores.protocol import Store
from service.transfer.bucket_reader import BucketReader
from service.transfer.read_back import ReadBack

_MOST_VALUES = 400_000
"""Values that are compared with one read."""
_LONGEST_PAUSE_S = 5.0


class Comparison(StrEnum):
    """Equal: the same points, to the bit. More: all points of the backup, and others. Different: some lack, or have
    another value."""

    EQUAL = "equal"
    MORE = "more"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Difference:
    """Of one slice: values that lack, series with as many values but others, and values that are more."""

    planned: PlannedSlice
    lacking: int
    changed_series: int
    more: int

    @property
    def state(self) -> Comparison:
        return Comparison.DIFFERENT if self.lacking or self.changed_series else Comparison.MORE

    def json(self) -> Json:
        counts = {"lacking": self.lacking, "changed_series": self.changed_series, "more": self.more}
        return {"range": span_json(self.planned.span), "state": self.state.value, **counts}


class BucketComparison:
    """Compares slices of one bucket. `compared` is called after every slice.

    Every method raises StoreError, BackupDamaged, ArchiveError, JobInterrupted.
    """

    def __init__(self, store: Store, bucket: str, source: SliceSource, tools: RunTools) -> None:
        self._source = source
        self._tools = tools
        measurements = tuple(sorted(entry.name for entry in tools.retry.call(lambda: store.schema(bucket))))
        ranges = [MeasurementRange(measurements, EVER.start_ns, EVER.stop_ns)] if measurements else []
        self._reader = BucketReader(store, bucket, ranges, tools.splitter, SECOND_NS)

    def differences(self, slices: Sequence[PlannedSlice], compared: Callable[[], None]) -> list[Difference]:
        """The slices that are not equal, once the target shows all points or its time to do so is over."""
        read_back = ReadBack(self._tools.job, self._tools.clock, self._tools.is_remote)
        different: list[Difference] = []
        for group in grouped(slices):
            self._tools.job.check()
            expected = [self._source.digest(planned) for planned in group]

            def shown(group: Sequence[PlannedSlice] = group) -> list[SliceDigest]:
                return self._shown(group)

            def nothing_lacks(digests: list[SliceDigest], expected: list[SliceDigest] = expected) -> bool:
                return not any(map(_lacks, digests, expected))

            digests = read_back.ask(shown, nothing_lacks, _LONGEST_PAUSE_S)
            for planned, digest, wanted in zip(group, digests, expected, strict=True):
                if digest != wanted:
                    different.append(self._difference(planned))
                compared()
        return different

    def _shown(self, group: Sequence[PlannedSlice]) -> list[SliceDigest]:
        span = TimeRange(group[0].span.start_ns, group[-1].span.stop_ns)
        step_ns = group[0].span.length_ns
        digests = self._reader.slice_digests(span, step_ns)
        if len(group) == 1:
            return [sum(digests.values(), SliceDigest())]
        return [digests.get(slice_start(planned.span.start_ns, step_ns), SliceDigest()) for planned in group]

    def _difference(self, planned: PlannedSlice) -> Difference:
        in_backup = self._source.series_digests(planned)
        on_target = self._reader.series_digests(planned.span)
        lacking = changed_series = more = 0
        for series in {*in_backup, *on_target}:
            wanted, shown = in_backup.get(series, SeriesDigest()), on_target.get(series, SeriesDigest())
            lacking += max(0, wanted.count - shown.count)
            more += max(0, shown.count - wanted.count)
            changed_series += wanted.count == shown.count and wanted != shown
        return Difference(planned, lacking, changed_series, more)


def grouped(slices: Iterable[PlannedSlice]) -> Iterator[list[PlannedSlice]]:
    """Slices that one read compares: neighbours of one length on its grid, with at most about _MOST_VALUES."""
    group: list[PlannedSlice] = []
    values = 0
    for planned in slices:
        count = planned.entry.digest.count
        if group and not (_follows(group[-1], planned) and values + count <= _MOST_VALUES):
            yield group
            group, values = [], 0
        group.append(planned)
        values += count
    if group:
        yield group


def _follows(before: PlannedSlice, planned: PlannedSlice) -> bool:
    spans = (before.span, planned.span)
    return before.span.stop_ns == planned.span.start_ns and all(
        span.length_ns == spans[0].length_ns and span.start_ns % span.length_ns == 0 for span in spans
    )


def _lacks(shown: SliceDigest, expected: SliceDigest) -> bool:
    """Whether something may not be there yet. Where the target has more, nothing says it."""
    return shown.count < expected.count or (shown.count == expected.count and shown != expected)
