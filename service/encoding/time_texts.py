"""Makes columns of times into RFC 3339 text.

It uses tables of digits, because Arrow's cast of nanoseconds takes six times as long. It is exact over all of int64,
also before 1970. In a zone other than UTC each time has the offset of the zone at that instant.
"""

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_SECOND_NS = 1_000_000_000
_DAY_S = 86_400
_HOUR_S = 3_600
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WHOLE_BYTES = len("1970-01-01T00:00:00")
_FRACTION_BYTES = len(".000000000")

Ints = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]


def rfc3339(times_ns: Ints, zone: str, before: str = "", after: str = "") -> pa.StringArray:
    """`before`, the time and `after` as one text per row. A whole second has no fraction, other times nine digits.

    UTC ends with `Z`, another `zone` (an IANA name that exists) with its offset. An offset with odd seconds (local mean
    time, before about 1920) is cut to whole minutes, as RFC 3339 demands, and the printed clock with it, so the instant
    stays exact. At most 30 million rows.
    """
    if len(times_ns) == 0:
        return pa.array([], pa.string())
    seconds, fraction = np.divmod(times_ns, _SECOND_NS)
    suffixes: Octets | None = None
    if zone != "UTC":
        shifts_s = offsets_s(seconds, zone)
        seconds = seconds + shifts_s
        suffixes = _offset_texts(shifts_s)
    whole = fraction == 0
    if whole.all():
        return _fixed_width(_texts(seconds, None, suffixes, before, after))
    texts = _texts(seconds, fraction, suffixes, before, after)
    return _without_fraction(texts, whole, len(before.encode()) + _WHOLE_BYTES) if whole.any() else _fixed_width(texts)


def _texts(seconds: Ints, fraction: Ints | None, suffixes: Octets | None, before: str, after: str) -> Octets:
    """A matrix with one text per row. `seconds` are on the local clock."""
    lead, tail = np.frombuffer(before.encode(), np.uint8), np.frombuffer(after.encode(), np.uint8)
    zone_bytes = 1 if suffixes is None else suffixes.shape[1]
    clock_at = len(lead)
    zone_at = clock_at + _WHOLE_BYTES + (0 if fraction is None else _FRACTION_BYTES)
    texts = np.empty((len(seconds), zone_at + zone_bytes + len(tail)), np.uint8)
    days, second_of_day = np.divmod(seconds, _DAY_S)
    texts[:, :clock_at] = lead
    texts[:, clock_at : clock_at + 11] = _day_texts(days)
    _write_words(texts, clock_at + 11, _clock_table()[second_of_day])
    if fraction is not None:
        thousands, units = np.divmod(fraction, 1_000)
        millions, thousands = np.divmod(thousands, 1_000)
        at = clock_at + _WHOLE_BYTES
        _write_words(texts, at, _digit_table()[millions])
        texts[:, at + 4 : at + 7] = _digit_table().view(np.uint8).reshape(-1, 4)[:, 1:][thousands]
        texts[:, at + 7 : at + 10] = _digit_table().view(np.uint8).reshape(-1, 4)[:, 1:][units]
    texts[:, zone_at : zone_at + zone_bytes] = ord("Z") if suffixes is None else suffixes
    texts[:, zone_at + zone_bytes :] = tail
    return texts


def _write_words(texts: Octets, at: int, words: npt.NDArray[np.uint32] | npt.NDArray[np.uint64]) -> None:
    """Write one machine word into each row at column `at`, which is much faster than single bytes."""
    rows, width = texts.shape
    np.ndarray((rows,), words.dtype, texts.data, offset=at, strides=(width,))[:] = words


def _day_texts(days: Ints) -> Octets:
    """`YYYY-MM-DDT` for each day since 1970."""
    first, last = int(days.min()), int(days.max())
    if first == last:
        return _calendar(np.array([first]))
    if last - first < max(len(days), 4_096):
        return _calendar(np.arange(first, last + 1))[days - first]
    distinct, indices = np.unique(days, return_inverse=True)
    return _calendar(distinct)[indices]


def _calendar(days: Ints) -> Octets:
    texts = np.datetime_as_string(days.astype("datetime64[D]")).astype("S10").view(np.uint8).reshape(-1, 10)
    return np.hstack([texts, np.full((len(days), 1), ord("T"), np.uint8)])


@cache
def _clock_table() -> npt.NDArray[np.uint64]:
    """`HH:MM:SS` for each second of a day, as one word of eight bytes."""
    two = np.frombuffer("".join(f"{n:02d}" for n in range(60)).encode(), np.uint8).reshape(60, 2)
    texts = np.full((24, 60, 60, 8), ord(":"), np.uint8)
    texts[..., 0:2] = two[:24, np.newaxis, np.newaxis]
    texts[..., 3:5] = two[:, np.newaxis]
    texts[..., 6:8] = two
    return texts.reshape(-1).view(np.uint64)


@cache
def _digit_table() -> npt.NDArray[np.uint32]:
    """`.ddd` for 0 to 999, as one word of four bytes."""
    return np.frombuffer("".join(f".{n:03d}" for n in range(1_000)).encode(), np.uint32)


def _fixed_width(texts: Octets) -> pa.StringArray:
    rows, width = texts.shape
    ends = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(texts))


def _without_fraction(texts: Octets, whole: npt.NDArray[np.bool_], fraction_at: int) -> pa.StringArray:
    keep = np.ones(texts.shape, np.bool_)
    keep[:, fraction_at : fraction_at + _FRACTION_BYTES] = ~whole[:, np.newaxis]
    ends = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(texts.shape[1] - _FRACTION_BYTES * whole, out=ends[1:])
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(texts[keep]))


def offsets_s(seconds: Ints, zone: str) -> Ints:
    """The offset of the zone at each instant, in seconds, cut to whole minutes.

    It is computed once per hour that occurs. Where the offset differs between the two ends of an hour, it is computed
    for each distinct second of that hour.
    """
    hours, hour_of_row = np.unique(seconds // _HOUR_S, return_inverse=True)
    info = ZoneInfo(zone)
    starts = np.array([_offset_s(hour * _HOUR_S, info) for hour in hours.tolist()], np.int64)
    ends = np.array([_offset_s(hour * _HOUR_S + _HOUR_S - 1, info) for hour in hours.tolist()], np.int64)
    shifts = starts[hour_of_row]
    changes = (starts != ends)[hour_of_row]
    if changes.any():
        moments, moment_of_row = np.unique(seconds[changes], return_inverse=True)
        offsets = [_offset_s(moment, info) for moment in moments.tolist()]
        shifts[changes] = np.array(offsets, np.int64)[moment_of_row]
    return shifts


def _offset_s(second: int, info: ZoneInfo) -> int:
    shift = (_EPOCH + dt.timedelta(seconds=second)).astimezone(info).utcoffset()
    assert shift is not None
    return int(shift.total_seconds() / 60) * 60


def _offset_texts(shifts_s: Ints) -> Octets:
    distinct, indices = np.unique(shifts_s, return_inverse=True)
    texts = [_offset_text(shift_s) for shift_s in distinct.tolist()]
    return np.array(texts, "S6").view(np.uint8).reshape(-1, 6)[indices]


def _offset_text(shift_s: int) -> str:
    hours, minutes = divmod(abs(shift_s) // 60, 60)
    return f"{'-' if shift_s < 0 else '+'}{hours:02d}:{minutes:02d}"
