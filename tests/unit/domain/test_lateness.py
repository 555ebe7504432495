"""How late points are, as comparisons show it, and the settle time that follows."""

import pytest

from service.domain.lateness import lateness_ns, settle_ns
from service.domain.timerange import TimeRange

MINUTE, HOUR, DAY = (length * 1_000_000_000 for length in (60, 3600, 86_400))
NOON = 20_000 * DAY + 12 * HOUR


def hour(start: int) -> TimeRange:
    return TimeRange(start, start + HOUR)


@pytest.mark.parametrize(
    ("starts", "late"),
    [
        ([], 0),
        ([NOON - HOUR], 0),  # it ended as the comparison began
        ([NOON - HOUR // 2, NOON, NOON + DAY], 0),  # they were not over
        ([NOON - HOUR - 1], 1),
        ([NOON - 3 * HOUR, NOON - 2 * HOUR, NOON], 2 * HOUR),
        ([NOON - 8 * DAY, NOON - 2 * HOUR], HOUR),  # older than what each run compares
    ],
)
def test_points_are_as_late_as_the_comparison_that_lacked_them(starts: list[int], late: int) -> None:
    assert lateness_ns(map(hour, starts), compared_ns=NOON, reach_ns=7 * DAY) == late


@pytest.mark.parametrize(
    ("setting", "measured", "settle"),
    [
        (10 * MINUTE, 0, 10 * MINUTE),
        (10 * MINUTE, 10 * MINUTE, 10 * MINUTE),
        (10 * MINUTE, 11 * MINUTE, 15 * MINUTE),
        (10 * MINUTE, 15 * MINUTE, 15 * MINUTE),
        (10 * MINUTE, 61 * MINUTE, 2 * HOUR),
        (10 * MINUTE, 5 * HOUR, 6 * HOUR),
        (10 * MINUTE, 3 * DAY, 6 * HOUR),
        (20 * MINUTE, 12 * MINUTE, 20 * MINUTE),
        (DAY, 2 * DAY, DAY),  # more than the bound by the setting
    ],
)
def test_the_settle_time_is_the_larger_of_setting_and_measure_within_a_bound(
    setting: int, measured: int, settle: int
) -> None:
    assert settle_ns(setting, measured, most_ns=6 * HOUR) == settle
