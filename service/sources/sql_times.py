"""What times a database holds, which of them a window bounds, and which instants they are.

A window is bounded twice. The database selects a range that surely holds the window (`Bounds`), in the form of its
column. Then every row's instant is known to the nanosecond, and exactly those in `[start, stop)` are kept. So a column
of seconds, a rounded text and the hour that autumn repeats fall in exactly one window each.

A local time that the clock shows twice is read as the later instant. Rows of the first occurrence are then stamped an
hour late at most, and none is missed: when that window is read, the rows of both occurrences are there.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from service.domain.durations import SECOND_NS
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.domain.windows import clock_segments
from service.errors import InvalidParameter
from service.frames.frame import TIME
from service.sources.sql_text import UNITS, SqlDefinition

_NAIVE = pa.timestamp("ns")
_EPOCH = dt.datetime(1970, 1, 1)
_DAY_NS = 86_400 * SECOND_NS
_MINUTE_NS = 60 * SECOND_NS
_ROUNDING_NS = 10_000_000
"""`datetime` of SQL Server has steps of 3.3 ms; drivers print them rounded."""
_TEXT = r"^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?$"
_FIRST_NS, _LAST_NS = -6_847_804_800 * SECOND_NS, 9_214_646_400 * SECOND_NS
"""1753-01-01, the first `datetime` of SQL Server, and 2262-01-01."""


class TimeForm(StrEnum):
    """Of a column: instants, times of a local clock, numbers since 1970, or ISO 8601 texts."""

    INSTANT = "instant"
    LOCAL = "local"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True)
class Bounds:
    """`[low_ns, high_ns)` as the column shows time: the times that the database is asked for."""

    low_ns: int
    high_ns: int


def required_form(form: TimeForm, definition: SqlDefinition) -> None:
    """Raises InvalidParameter: the column needs a `zone` or a `unit` that is not given."""
    column = definition.columns.timestamp
    if form is TimeForm.NUMBER and definition.unit is None:
        reason = f"The column {column!r} holds numbers. Say what they count since 1970: s, ms, us or ns."
        raise InvalidParameter(definition.member("unit"), reason)
    if form is TimeForm.LOCAL and definition.zone is None:
        raise InvalidParameter(
            definition.member("zone"),
            f"The column {column!r} holds times without an offset. Say whose clock they are of, "
            "such as UTC or Europe/Berlin.",
        )


def bounds(window: TimeRange, form: TimeForm, definition: SqlDefinition) -> Bounds:
    """What to ask the database for, so that nothing of `window` is missing."""
    low_ns, high_ns = max(window.start_ns, _FIRST_NS), min(window.stop_ns, _LAST_NS)
    if form is TimeForm.NUMBER:
        unit_ns = UNITS[definition.unit or "s"]
        return Bounds(low_ns // unit_ns * unit_ns, -(-high_ns // unit_ns) * unit_ns)
    if form is TimeForm.INSTANT:
        return Bounds(_whole(low_ns, 1_000), _whole(high_ns, 1_000))
    if definition.zone is not None:
        offsets = _offsets_near(window, definition.zone)
        low_ns, high_ns = low_ns + min(offsets), high_ns + max(offsets)
    if form is TimeForm.LOCAL:
        return Bounds(_whole(low_ns, 1_000) - 1_000, _whole(high_ns, 1_000))
    # Whole minutes, because `08:00Z` comes after `08:00:10Z` among texts.
    return Bounds(low_ns // _MINUTE_NS * _MINUTE_NS, _whole(high_ns, _MINUTE_NS))


def rounded(limits: Bounds) -> Bounds:
    """Bounds for a column whose times the driver rounds, as SQL Server's `datetime`."""
    return Bounds(limits.low_ns - _ROUNDING_NS, limits.high_ns + _ROUNDING_NS)


def naive_datetime(time_ns: int) -> dt.datetime:
    """Whole microseconds, which every database has, as a datetime without a zone."""
    return _EPOCH + dt.timedelta(microseconds=time_ns // 1_000)


def shown_times(times: pa.Array, form: TimeForm, definition: SqlDefinition) -> tuple[pa.Array, bool]:
    """What a column shows, as timestamps (ns) without a zone; and whether these are UTC.

    `times` is a timestamp, a date, a number, a decimal or a text. A column of instants may come without an offset, as
    from MySQL. Raises InvalidParameter for times that cannot be read.
    """
    try:
        shown, is_utc = _shown(times, definition)
    except _NoTimes as broken:
        column = definition.columns.timestamp
        raise InvalidParameter(definition.member(broken.member), f"Times of the column {column!r} {broken}.") from None
    if not is_utc and form is not TimeForm.INSTANT:
        required_form(TimeForm.LOCAL, definition)
        return shown, False
    return shown, True


def instants(shown: pa.Array, is_utc: bool, definition: SqlDefinition) -> pa.Array:
    """The instants (timestamp[ns, UTC]) of what a column shows; of two at which a local clock shows it, the later one.

    Raises InvalidParameter for a time that the clock skips.
    """
    if is_utc or definition.zone in (None, "UTC"):
        return shown.cast(TIME)
    try:
        return pc.assume_timezone(shown, definition.zone, ambiguous="latest", nonexistent="raise").cast(TIME)
    except pa.ArrowInvalid as broken:
        raise InvalidParameter(
            definition.member("zone"),
            f"Times of the column {definition.columns.timestamp!r} do not all exist in {definition.zone}, whose clock "
            "skips an hour in spring. Name the zone of the column; one without summer time is Etc/GMT-1 (UTC+1).",
            upstream=str(broken),
        ) from None


class _NoTimes(Exception):
    """Why times cannot be read, as the end of a sentence. `member`: what the configuration has to change."""

    def __init__(self, reason: str, member: str = "timestamp_column") -> None:
        super().__init__(reason)
        self.member = member


def _shown(times: pa.Array, definition: SqlDefinition) -> tuple[pa.Array, bool]:
    """Raises _NoTimes."""
    arrow_type = times.type
    if pa.types.is_timestamp(arrow_type):
        return _cast(times.cast(pa.timestamp(arrow_type.unit)), _NAIVE), arrow_type.tz is not None
    if pa.types.is_date(arrow_type):
        return _cast(times, _NAIVE), False
    if pa.types.is_string(arrow_type):
        return _from_texts(times, definition.zone is not None)
    if definition.unit is None:
        raise _NoTimes("are numbers, and no unit is given", "unit")
    return _from_numbers(times, UNITS[definition.unit]), True


def _from_numbers(numbers: pa.Array, unit_ns: int) -> pa.Array:
    try:
        if pa.types.is_integer(numbers.type):
            whole = numbers.cast(pa.int64())
            return pc.multiply_checked(whole, pa.scalar(unit_ns, pa.int64())).cast(_NAIVE)
        if pa.types.is_decimal(numbers.type):
            scaled = pc.multiply(numbers.cast(pa.decimal256(60, 20)), pa.scalar(unit_ns, pa.decimal256(10, 0)))
            return pc.round(scaled).cast(pa.int64(), safe=False).cast(_NAIVE)
        if pa.types.is_floating(numbers.type):
            floor = pc.floor(numbers)
            rest = pc.round(pc.multiply(pc.subtract(numbers, floor), float(unit_ns))).cast(pa.int64())
            whole = pc.multiply_checked(floor.cast(pa.int64()), pa.scalar(unit_ns, pa.int64()))
            return pc.add_checked(whole, rest).cast(_NAIVE)
    except pa.ArrowInvalid as broken:
        raise _NoTimes("are no times that InfluxDB can store") from broken
    raise _NoTimes(f"are of the type {numbers.type}, which holds no times")


def _from_texts(texts: pa.Array, has_zone: bool) -> tuple[pa.Array, bool]:
    """ISO 8601 texts, all with Z (or +00:00) or all without an offset."""
    marked = pc.match_substring_regex(texts, r"(Z|\+00(?::?00)?)$")
    is_utc = bool(pc.all(marked).as_py())
    if is_utc and has_zone:
        raise _NoTimes("end with Z, so they are UTC, and a zone is given all the same", "zone")
    if not is_utc and bool(pc.any(marked).as_py()):
        raise _NoTimes("have Z at their end in some rows and not in others")
    if not is_utc and not has_zone:
        raise _NoTimes("have no offset, and no zone is given, such as UTC or Europe/Berlin", "zone")
    bare = pc.replace_substring_regex(texts, r"(Z|\+00(?::?00)?)$", "") if is_utc else texts
    if not bool(pc.all(pc.match_substring_regex(bare, _TEXT)).as_py()):
        raise _NoTimes("have another form than 2026-01-31 08:00:00, with or without a fraction and Z")
    return _cast(bare, _NAIVE), is_utc


def _cast(times: pa.Array, wanted: pa.DataType) -> pa.Array:
    try:
        return times.cast(wanted)
    except pa.ArrowInvalid as broken:
        raise _NoTimes("are no times from 1677 to 2262, which InfluxDB can store") from broken


def _whole(time_ns: int, step_ns: int) -> int:
    """The first multiple of `step_ns` that is not before `time_ns`."""
    return -(-time_ns // step_ns) * step_ns


def _offsets_near(window: TimeRange, zone: str) -> list[int]:
    """Each offset (ns) that the clock of `zone` has within a day of `window`."""
    wider = TimeRange(max(window.start_ns - _DAY_NS, EARLIEST_NS), min(window.stop_ns + _DAY_NS, LATEST_NS + 1))
    return [offset_ns for _, offset_ns in clock_segments(wider, zone)]
