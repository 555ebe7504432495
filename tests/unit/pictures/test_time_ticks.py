"""The axis of time: round on the local clock, also where it changes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.timerange import EVER, TimeRange, format_time, parse_range
from service.pictures.time_ticks import local_text, time_ticks

BERLIN = "Europe/Berlin"
TIMES = st.integers(EVER.start_ns, EVER.stop_ns)


def ticks(start: str, stop: str, zone: str = "UTC", most: int = 8) -> list[tuple[str, str, str]]:
    found = time_ticks(parse_range(start, stop), zone, most)
    return [(format_time(tick.time_ns)[5:16], tick.label, tick.below) for tick in found]


def test_a_day_has_hours_and_says_the_day_once() -> None:
    assert ticks("2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z", most=5) == [
        ("03-01T12:00", "12:00", "1 Mar 2026"),
        ("03-01T18:00", "18:00", ""),
        ("03-02T00:00", "00:00", "2 Mar 2026"),
        ("03-02T06:00", "06:00", ""),
    ]


def test_hours_are_those_of_the_clock_when_it_changes() -> None:
    """On 29 March 2026 the clock of Berlin goes from 02:00 to 03:00."""
    assert ticks("2026-03-28T23:00:00Z", "2026-03-29T10:00:00Z", BERLIN, most=4) == [
        ("03-28T23:00", "00:00", "29 Mar 2026"),
        ("03-29T01:00", "03:00", ""),
        ("03-29T04:00", "06:00", ""),
        ("03-29T07:00", "09:00", ""),
    ]


def test_days_begin_at_midnight_of_the_clock() -> None:
    found = ticks("2026-03-27T12:00:00Z", "2026-03-31T12:00:00Z", BERLIN)
    days = [tick for tick in found if tick[1] == "00:00"]
    assert [(at, below) for at, _, below in days] == [
        ("03-27T23:00", "28 Mar 2026"),
        ("03-28T23:00", "29 Mar 2026"),
        ("03-29T22:00", "30 Mar 2026"),
        ("03-30T22:00", "31 Mar 2026"),
    ]


def test_months_and_years() -> None:
    assert ticks("2025-11-10T00:00:00Z", "2026-04-01T00:00:00Z", most=6) == [
        ("12-01T00:00", "Dec", "2025"),
        ("01-01T00:00", "Jan", "2026"),
        ("02-01T00:00", "Feb", ""),
        ("03-01T00:00", "Mar", ""),
    ]
    assert [label for _, label, _ in ticks("2000-06-01T00:00:00Z", "2026-06-01T00:00:00Z", most=6)] == [
        "2005",
        "2010",
        "2015",
        "2020",
        "2025",
    ]


def test_parts_of_a_second_are_told() -> None:
    assert [label for _, label, _ in ticks("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.010Z", most=3)] == [
        "00:00:00.000",
        "00:00:00.005",
    ]


def test_the_start_of_the_range_is_a_tick_when_it_is_round() -> None:
    assert ticks("2026-03-01T00:00:00Z", "2026-03-01T02:00:00Z", most=2)[0][0] == "03-01T00:00"


@pytest.mark.parametrize(("seconds", "text"), [(False, "1 Jan 2026 01:30"), (True, "1 Jan 2026 01:30:05")])
def test_a_time_as_text(seconds: bool, text: str) -> None:
    assert local_text(parse_range("2026-01-01T00:30:05Z", "2027-01-01T00:00:00Z").start_ns, BERLIN, seconds) == text


@given(TIMES, TIMES, st.sampled_from(["UTC", BERLIN, "America/St_Johns", "Pacific/Apia"]), st.integers(2, 30))
@example(EVER.start_ns, EVER.stop_ns, "UTC", 8)
@example(EVER.stop_ns - 1, EVER.stop_ns, BERLIN, 8)
def test_any_range_has_few_ticks_in_order(one: int, other: int, zone: str, most: int) -> None:
    if one == other:
        return
    span = TimeRange(min(one, other), max(one, other))
    found = [tick.time_ns for tick in time_ticks(span, zone, most)]
    assert found == sorted(set(found))
    assert len(found) <= most + 5
    assert all(span.start_ns <= time_ns < span.stop_ns for time_ns in found)
