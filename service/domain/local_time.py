"""Which instants a local clock shows a time at: one, two in the hour that autumn repeats, none in the one spring skips.

Pure arithmetic on the changes of a zone. Local times are nanoseconds that the clock shows, counted from its 1970.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from service.domain.durations import SECOND_NS
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.domain.windows import clock_segments

_DAY_NS = 86_400 * SECOND_NS
"""More than any zone is ahead of UTC or behind it."""
_EPOCH = dt.datetime(1970, 1, 1)


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # OSError: a folder of zones, such as Europe
        return False
    return True


def shown_ns(moment: dt.datetime) -> int:
    """A naive datetime as the nanoseconds that a local clock shows."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1_000


def instants_of(local_ns: int, zone: str) -> list[int]:
    """The instants (ns) at which the clock of `zone` shows `local_ns`, ascending: usually one, else none or two."""
    return [
        local_ns - offset_ns
        for segment, offset_ns in _segments_near(local_ns, zone)
        if segment.start_ns <= local_ns - offset_ns < segment.stop_ns
    ]


def first_instant(local_ns: int, zone: str) -> int | None:
    """The first instant (ns) at which the clock of `zone` shows `local_ns` or a later time.

    None when it is a day or more before the first instant that InfluxDB can store, or comes after the last.
    """
    for segment, offset_ns in _segments_near(local_ns, zone):
        instant_ns = max(segment.start_ns, local_ns - offset_ns)
        if instant_ns < segment.stop_ns:
            return instant_ns
    return None


def _segments_near(local_ns: int, zone: str) -> list[tuple[TimeRange, int]]:
    start_ns, stop_ns = max(local_ns - _DAY_NS, EARLIEST_NS), min(local_ns + _DAY_NS, LATEST_NS + 1)
    return list(clock_segments(TimeRange(start_ns, stop_ns), zone)) if start_ns < stop_ns else []
