"""What is asked of a bucket: first as it was asked, then against a clock.

Pure: what "now" is comes in. Two reads that mean the same have one key, however they were written.
"""

from dataclasses import dataclass

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, format_time
from service.domain.windows import grids, surely_more_than
from service.encoding.encoders import PLAIN_CSV, CsvDialect, Format, Layout, Shape
from service.errors import InvalidParameter, TooManyWindows

RAW = "raw"
"""As `every`: the points themselves, without windows."""


@dataclass(frozen=True)
class LastWindow:
    """The last `length_ns` before now."""

    length_ns: int

    def at(self, now_ns: int) -> TimeRange:
        return TimeRange(max(now_ns - self.length_ns, EARLIEST_NS), now_ns)

    def ends_now(self, now_ns: int) -> bool:
        return True


@dataclass(frozen=True)
class Between:
    """From `start_ns` until `stop_ns`; until now, when that is absent."""

    start_ns: int
    stop_ns: int | None = None

    def at(self, now_ns: int) -> TimeRange:
        """Raises InvalidParameter for a range without an instant."""
        stop_ns = now_ns if self.stop_ns is None else self.stop_ns
        if not EARLIEST_NS <= self.start_ns < stop_ns <= LATEST_NS + 1:
            stop = "which is now" if self.stop_ns is None else format_time(self.stop_ns)
            start = format_time(self.start_ns)
            raise InvalidParameter("start", f"start={start} is not before the stop, {stop}. Swap or change them.")
        return TimeRange(self.start_ns, stop_ns)

    def ends_now(self, now_ns: int) -> bool:
        return self.stop_ns is None or self.stop_ns > now_ns


@dataclass(frozen=True)
class Question:
    """A read of one range. `open_ended`: the range ends now, so the answer is soon old. `key` names it in the cache."""

    selection: Selection
    layout: Layout
    limit: int | None
    open_ended: bool
    key: str


@dataclass(frozen=True)
class AskedRead:
    """A read as it was asked. `csv`: how CSV is written. `every` like "1h", as JSON says it, or `RAW`; `fn` absent: mean. `zone`: IANA.

    Values within one filter mean "or"; empty filters select everything. `limit`: at most so many rows.
    """

    bucket: str
    range: LastWindow | Between
    every: str = RAW
    fn: Fn | None = None
    measurements: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    format: Format = Format.CSV
    shape: Shape = Shape.LONG
    zone: str = "UTC"
    limit: int | None = None
    csv: CsvDialect = PLAIN_CSV

    def at(self, now_ns: int, max_windows: int) -> Question:
        """The question at the moment `now_ns`. Raises InvalidParameter, TooManyWindows."""
        span, windows = self.range.at(now_ns), self._windows()
        if windows is not None:
            _bound_windows(span, windows, self.every, max_windows)
        names = tuple(sorted(self.measurements)), tuple(sorted(self.fields))
        tags = tuple((key, tuple(sorted(values))) for key, values in sorted(self.tags))
        selection = Selection(self.bucket, span, windows, *names, tags, complete_rows=self.shape is Shape.WIDE)
        layout = Layout(self.format, self.shape, self.zone, self.bucket, span, self.every, self.csv)
        looks = (self.format.value, self.shape.value, self.zone, self.every, self.limit, self.csv)
        key = repr((self.bucket, self.range, windows, names, tags, looks))
        return Question(selection, layout, self.limit, self.range.ends_now(now_ns), key)

    def _windows(self) -> Windows | None:
        if self.every == RAW:
            if self.fn is not None:
                reason = "every=raw gives the points themselves, so fn has no meaning. Leave one of them out."
                raise InvalidParameter("fn", reason)
            return None
        try:
            every_ns = parse_duration(self.every, "every")
        except InvalidParameter as refused:
            message = f"{refused.message} Or write every=raw for the points themselves."
            raise InvalidParameter("every", message) from None
        return Windows(every_ns, self.fn or Fn.MEAN, self.zone)


def _bound_windows(span: TimeRange, windows: Windows, every: str, most: int) -> None:
    """Raises TooManyWindows."""
    if windows.zone != "UTC" and surely_more_than(most, span, windows.every_ns):
        number = f"about {span.length_ns // windows.every_ns}"
    else:
        count = sum(grid.count for grid in grids(span, windows.every_ns, windows.zone))
        if count <= most:
            return
        number = str(count)
    limit = f"{most} is the limit. Use a longer every or a shorter range."
    raise TooManyWindows(f"every={every} makes {number} windows a series in this range; {limit}")
