"""Half-open ranges of time, `[start, stop)`, in UTC and whole nanoseconds since 1970.

This arithmetic decides what is read: clipping, merging, subtracting what is already known. Nothing here reads a clock.
"""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.durations import SECOND_NS
from service.errors import InvalidParameter

EARLIEST_NS = -9_223_372_036_854_775_806
"""First instant InfluxDB can store, 1677-09-21T00:12:43.145224194Z (models.MinNanoTime)."""
LATEST_NS = 9_223_372_036_854_775_806
"""Last instant InfluxDB can store, 2262-04-11T23:47:16.854775806Z (models.MaxNanoTime)."""


@dataclass(frozen=True, order=True)
class TimeRange:
    """`[start_ns, stop_ns)`, never empty, inside the time domain of InfluxDB.

    `stop_ns` may be one past `LATEST_NS`, so that the last instant can be read.
    """

    start_ns: int
    stop_ns: int

    def __post_init__(self) -> None:
        if not EARLIEST_NS <= self.start_ns < self.stop_ns <= LATEST_NS + 1:
            raise ValueError(f"no range: [{self.start_ns}, {self.stop_ns})")

    @property
    def length_ns(self) -> int:
        return self.stop_ns - self.start_ns

    def intersect(self, other: "TimeRange") -> "TimeRange | None":
        start_ns, stop_ns = max(self.start_ns, other.start_ns), min(self.stop_ns, other.stop_ns)
        return TimeRange(start_ns, stop_ns) if start_ns < stop_ns else None


EVER = TimeRange(EARLIEST_NS, LATEST_NS + 1)
"""All time that InfluxDB can store."""


def floor_to(time_ns: int, step_ns: int, origin_ns: int = 0) -> int:
    """The last multiple of `step_ns` counted from `origin_ns` that is not after `time_ns`."""
    return time_ns - (time_ns - origin_ns) % step_ns


def merge(ranges: Iterable[TimeRange]) -> list[TimeRange]:
    """The same instants in the fewest ranges, ascending: overlapping and touching ones become one."""
    merged: list[TimeRange] = []
    for piece in sorted(ranges):
        if merged and piece.start_ns <= merged[-1].stop_ns:
            merged[-1] = TimeRange(merged[-1].start_ns, max(merged[-1].stop_ns, piece.stop_ns))
        else:
            merged.append(piece)
    return merged


def subtract(span: TimeRange, known: Iterable[TimeRange]) -> list[TimeRange]:
    """The parts of `span` that no range of `known` covers, ascending."""
    missing, start_ns = [], span.start_ns
    for piece in merge(known):
        if piece.stop_ns <= start_ns or piece.start_ns >= span.stop_ns:
            continue
        if piece.start_ns > start_ns:
            missing.append(TimeRange(start_ns, piece.start_ns))
        start_ns = piece.stop_ns
    if start_ns < span.stop_ns:
        missing.append(TimeRange(start_ns, span.stop_ns))
    return missing


_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)", re.ASCII)
_FORM = "Write 2026-01-31T00:00:00Z or 2026-01-31T00:00:00+01:00 (in a URL a plus sign is written %2B)."
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def parse_time(text: str, parameter: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time with an offset; up to 9 fractional digits, all kept.

    Raises:
        InvalidParameter: another form, no offset (a naive time means nothing), no such day, or
            outside what InfluxDB can store.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidParameter(
            parameter,
            f"{parameter}={text!r} is not an RFC 3339 time with an offset. {_FORM}",
        )
    zone = "+00:00" if match[4] in "Zz" else match[4]
    try:
        whole = dt.datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
        seconds = (whole - _EPOCH) // dt.timedelta(seconds=1)
    except (ValueError, OverflowError) as broken:
        raise InvalidParameter(parameter, f"{parameter}={text!r} names no instant: {broken}.") from None
    time_ns = seconds * SECOND_NS + int((match[3] or "").ljust(9, "0"))
    if not EARLIEST_NS <= time_ns <= LATEST_NS + 1:
        domain = "1677-09-21 to 2262-04-11, what InfluxDB can store"
        raise InvalidParameter(parameter, f"{parameter}={text!r} is outside {domain}.")
    return time_ns


def parse_range(start: str, stop: str) -> TimeRange:
    """The range of two times in the form of `parse_time`. Raises InvalidParameter, also for an empty range."""
    start_ns, stop_ns = parse_time(start, "start"), parse_time(stop, "stop")
    if start_ns >= stop_ns:
        raise InvalidParameter("stop", "stop is not after start.")
    return TimeRange(start_ns, stop_ns)


def format_time(time_ns: int) -> str:
    """RFC 3339 in UTC: no fraction for a whole second, else all nine digits. `parse_time` reads it back."""
    seconds, fraction = divmod(time_ns, SECOND_NS)
    whole = (_EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{fraction:09d}Z" if fraction else f"{whole}Z"
