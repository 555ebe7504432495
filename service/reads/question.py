"""A read of a bucket: as the reader asks for it, and as the question that it is at one moment.

The present time is passed in. Two reads that mean the same have the same key, however they were written.
"""

from dataclasses import dataclass

from service.domain.chart_windows import LEAST_WIDTH, chart_windows
from service.domain.durations import parse_every
from service.domain.selected_windows import MOST_CALENDAR_WINDOWS, calendar_count, grids_of, whole_windows
from service.domain.selection import Fn, Selection, Stamp, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, format_time
from service.domain.windows import surely_more_than
from service.encoding.encoders import PLAIN_CSV, CsvDialect, Format, Layout, Shape
from service.errors import InvalidParameter, TooManyWindows
from service.pictures.look import Form, Look

RAW = "raw"
"""As `every`: the points themselves, without windows."""

BY_WIDTH = "by width"
"""As `every` of a picture: a window for each column of pixels, with the points that make a difference in it."""


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
    """A read of one range. `open_ended`: the range ends now, so the answer is soon old. `key` names it in the cache.

    `aligned`: the range was cut to its whole windows. `picture`: how the picture looks that is the answer; None: the
    answer has rows, in the form that `layout` names.
    """

    selection: Selection
    layout: Layout
    limit: int | None
    open_ended: bool
    key: str
    aligned: bool = False
    picture: Look | None = None

    @property
    def media_type(self) -> str:
        return self.layout.format.media_type if self.picture is None else self.picture.form.media_type

    @property
    def is_packed(self) -> bool:
        """Whether the answer is packed as far as it can be."""
        return self.layout.format.is_file if self.picture is None else self.picture.form is Form.PNG


@dataclass(frozen=True)
class AskedRead:
    """A read as it was asked.

    `csv`: how CSV is written. `every` like "1h", as JSON says it, or `RAW`; `fn` absent: mean. `zone`: IANA.
    Values within one filter mean "or"; empty filters select everything. `limit`: at most so many rows. `stamp` absent:
    stop, or point for m4. `align`: windows that the range cuts are left out. `picture`: the answer is one, and `format`
    has no meaning; its `every` may be `BY_WIDTH`.
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
    stamp: Stamp | None = None
    align: bool = False
    csv: CsvDialect = PLAIN_CSV
    picture: Look | None = None

    def at(self, now_ns: int, max_windows: int) -> Question:
        """The question at the moment `now_ns`. Raises InvalidParameter, TooManyWindows."""
        self._check_points()
        self._check_picture()
        asked = self.range.at(now_ns)
        span, windows, every = self._read_windows(asked, max_windows)
        names = tuple(sorted(self.measurements)), tuple(sorted(self.fields))
        tags = tuple((key, tuple(sorted(values))) for key, values in sorted(self.tags))
        selection = Selection(self.bucket, span, windows, *names, tags, complete_rows=self._complete_rows())
        shown = span if self.picture is None else asked
        layout = Layout(self.format, self.shape, self.zone, self.bucket, shown, every, self.csv)
        looks = (self.format.value, self.shape.value, self.zone, self.every, self.limit, self.align, self.csv)
        key = repr((self.bucket, self.range, windows, names, tags, looks, self.picture))
        return Question(selection, layout, self.limit, self.range.ends_now(now_ns), key, self.align, self.picture)

    def _read_windows(self, span: TimeRange, max_windows: int) -> tuple[TimeRange, Windows | None, str]:
        """The range that is read, its windows, and what `every` says of them."""
        if self.picture is not None and self.every == BY_WIDTH:
            self._check_stamp(Fn.M4)
            chart = chart_windows(span, max(min(self.picture.plot_width, max_windows), LEAST_WIDTH))
            return chart.span, Windows(chart.every_ns, Fn.M4), chart.every
        windows = self._windows()
        if windows is not None:
            _bound_windows(span, windows, self.every, max_windows)
            span = self._aligned(span, windows) if self.align else span
        return span, windows, self.every

    def _complete_rows(self) -> bool:
        return self.shape is Shape.WIDE or self.format is Format.LINE_PROTOCOL

    def _check_points(self) -> None:
        """Raises InvalidParameter where the format holds points alone and something else is asked for."""
        if not self.format.of_points:
            return
        finding = f"format={self.format.value} gives the points themselves"
        if self.every != RAW:
            raise InvalidParameter("every", f"{finding}: write every=raw, or another format for windows.")
        if self.shape is not Shape.LONG:
            raise InvalidParameter("shape", f"{finding}, so shape has no meaning. Leave it out.")

    def _check_picture(self) -> None:
        """Raises InvalidParameter where a picture is asked for with what only rows have."""
        for name, is_given in (("shape", self.shape is not Shape.LONG), ("limit", self.limit is not None)):
            if self.picture is not None and is_given:
                reason = f"format={self.picture.form.value} is a picture, so {name} has no meaning. Leave it out."
                raise InvalidParameter(name, reason)

    def _windows(self) -> Windows | None:
        if self.every == RAW:
            self._check_raw()
            return None
        try:
            length = parse_every(self.every, "every")
        except InvalidParameter as refused:
            message = f"{refused.message} Or write every=raw for the points themselves."
            raise InvalidParameter("every", message) from None
        fn = self.fn or Fn.MEAN
        self._check_stamp(fn)
        return Windows(length.ns, fn, self.zone, length.months, self.stamp or Stamp.STOP)

    def _check_stamp(self, fn: Fn) -> None:
        """Raises InvalidParameter for a stamp that the function cannot have."""
        if self.stamp is None or (fn is Fn.M4) == (self.stamp is Stamp.POINT):
            return
        if fn is Fn.M4:
            reason = "fn=m4 gives points with their own times, so stamp=point is all there is. Leave stamp out."
        else:
            reason = f"stamp=point is for fn=m4: a row of fn={fn} is no point. Write stamp=start or stamp=stop."
        raise InvalidParameter("stamp", reason, allowed=[Stamp.POINT] if fn is Fn.M4 else [Stamp.START, Stamp.STOP])

    def _check_raw(self) -> None:
        given = {"fn": self.fn is not None, "stamp": self.stamp is not None, "align": self.align}
        for name in (name for name, is_given in given.items() if is_given):
            reason = f"every=raw gives the points themselves, so {name} has no meaning. Leave one of them out."
            raise InvalidParameter(name, reason)

    def _aligned(self, span: TimeRange, windows: Windows) -> TimeRange:
        whole = whole_windows(span, windows)
        if whole is None:
            reach = f"from {format_time(span.start_ns)} to {format_time(span.stop_ns)}"
            reason = f"align=true leaves nothing: no whole window of {self.every} lies in the range {reach}"
            raise InvalidParameter("align", f"{reason}. Use a longer range, a shorter every, or leave align out.")
        return whole


def _bound_windows(span: TimeRange, windows: Windows, every: str, most: int) -> None:
    """Raises TooManyWindows."""
    number, most = _count(span, windows, most)
    if number is not None:
        limit = f"{most} is the limit. Use a longer every or a shorter range."
        raise TooManyWindows(f"every={every} makes {number} windows a series in this range; {limit}")


def _count(span: TimeRange, windows: Windows, most: int) -> tuple[str | None, int]:
    """How many windows there are, when those are too many; and the limit."""
    if windows.months:
        count, most = calendar_count(span, windows.months), min(most, MOST_CALENDAR_WINDOWS)
        return (str(count) if count > most else None), most
    if windows.zone != "UTC" and surely_more_than(most, span, windows.every_ns):
        return f"about {span.length_ns // windows.every_ns}", most
    count = sum(grid.count for grid in grids_of(span, windows))
    return (str(count) if count > most else None), most
