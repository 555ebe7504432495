"""Shard groups: how long they are by default, and where their edges lie.

InfluxDB checks the type of a field inside one shard group, and drops whole groups when a retention ends. Both stores
and every slice follow the same grid. Source: influxdb v2.9.1, v1/services/meta/data.go.
"""

from collections.abc import Iterator

from service.domain.durations import DAY_NS, HOUR_NS, SECOND_NS, WEEK_NS
from service.domain.timerange import TimeRange, floor_to

_YEAR_ONE_NS = -62_135_596_800 * SECOND_NS
"""Go's `time.Truncate` counts from year 1."""
_DAILY_FROM_NS, _WEEKLY_FROM_NS = 2 * DAY_NS, 180 * DAY_NS


def default_shard_ns(retention_ns: int) -> int:
    """The length that InfluxDB gives the shard groups of a new bucket. `retention_ns` 0 keeps everything.

    An hour below 2 days of retention, a day below 180 days, else a week.
    """
    if not retention_ns or retention_ns >= _WEEKLY_FROM_NS:
        return WEEK_NS
    return DAY_NS if retention_ns >= _DAILY_FROM_NS else HOUR_NS


def wrong_shard_ns(shard_ns: int, retention_ns: int) -> str | None:
    """Why a bucket with this retention cannot have shard groups of `shard_ns`; None: it can.

    InfluxDB 2.9.1 makes an hour of less without a word, and refuses groups longer than the retention.
    """
    if shard_ns < HOUR_NS or shard_ns % SECOND_NS:
        return "shard groups are 1h long or longer, in whole seconds"
    if 0 < retention_ns < shard_ns:
        seconds = shard_ns // SECOND_NS, retention_ns // SECOND_NS
        return "shard groups of {} s are longer than the retention of {} s".format(*seconds)
    return None


def shard_start(time_ns: int, shard_ns: int) -> int:
    """Start of the shard group that holds `time_ns`, for groups of `shard_ns`, counted from year 1."""
    return floor_to(time_ns, shard_ns, _YEAR_ONE_NS)


def shard_offset(shard_ns: int) -> int:
    """The start of the first group in 1970, counted from 1970: at least 0 and less than `shard_ns`."""
    return _YEAR_ONE_NS % shard_ns


def shard_number(time_ns: int, shard_ns: int) -> int:
    """A number for the shard group that holds `time_ns`. The next group has the next number.

    Fits 64 bits, where its start may not.
    """
    return shard_start(time_ns, shard_ns) // shard_ns


def shard_start_of(number: int, shard_ns: int) -> int:
    """Where the group with this number starts. At the ends of time this may lie outside 64 bits."""
    return number * shard_ns + shard_offset(shard_ns)


def shard_slices(span: TimeRange, shard_ns: int) -> Iterator[TimeRange]:
    """`span` in ascending pieces, none of which crosses the edge of a shard group of `shard_ns`."""
    start_ns = span.start_ns
    while start_ns < span.stop_ns:
        stop_ns = min(shard_start(start_ns, shard_ns) + shard_ns, span.stop_ns)
        yield TimeRange(start_ns, stop_ns)
        start_ns = stop_ns
