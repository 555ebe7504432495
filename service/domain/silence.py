"""Decides which series are silent, and which of them went silent or are back since the last look.

A series is silent when its newest point is older than points are expected to be apart. Times are nanoseconds since
1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.series import SeriesKey

Newest = Mapping[SeriesKey, int]
"""The time of the newest point of each series."""


@dataclass(frozen=True)
class Change:
    """A series that went silent, or is back. `since_ns`: its last point before the silence, or the one after it."""

    series: SeriesKey
    is_silent: bool
    since_ns: int


def silent_series(newest: Newest, now_ns: int, expect_ns: int) -> dict[SeriesKey, int]:
    """Those of `newest` without a point in the last `expect_ns`."""
    return {series: time_ns for series, time_ns in newest.items() if now_ns - time_ns > expect_ns}


def changes(before: Newest, newest: Newest, now_ns: int, expect_ns: int) -> list[Change]:
    """What changed since `before`, the silent series of the last look: silent ones first, each in order.

    A series of `before` that `newest` does not know is neither: it is no longer looked at.
    """
    silent = silent_series(newest, now_ns, expect_ns)
    gone = [Change(series, True, time_ns) for series, time_ns in silent.items() if series not in before]
    back = [Change(series, False, newest[series]) for series in before if series in newest and series not in silent]
    return [*sorted(gone, key=_name), *sorted(back, key=_name)]


def _name(change: Change) -> tuple[str, object]:
    return change.series.measurement, change.series.tags
