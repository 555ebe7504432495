"""Windows of the calendar, and the whole windows of a range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.selected_windows import MOST_CALENDAR_WINDOWS, calendar_count, grids_of, whole_windows
from service.domain.selection import Windows
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange, format_time, parse_range
from service.domain.windows import Grid

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
MONTH, YEAR = Windows(0, months=1), Windows(0, months=12)


def edges(pieces: list[Grid]) -> list[int]:
    """Every start of a window, then the last stop."""
    starts = []
    for piece in pieces:
        first_ns = piece.span.start_ns - (piece.span.start_ns - piece.offset_ns) % piece.every_ns
        starts += [max(piece.span.start_ns, first_ns + number * piece.every_ns) for number in range(piece.count)]
    return [*starts, pieces[-1].span.stop_ns]


def shown(pieces: list[Grid]) -> list[str]:
    return [format_time(edge).removesuffix("T00:00:00Z") for edge in edges(pieces)]


def test_months_begin_on_their_first_day() -> None:
    span = parse_range("2023-12-10T00:00:00Z", "2024-04-01T00:00:00Z")
    assert shown(grids_of(span, MONTH)) == ["2023-12-10", "2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]


def test_years_that_have_one_length_are_one_grid() -> None:
    span = parse_range("2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
    pieces = grids_of(span, YEAR)
    assert [piece.count for piece in pieces] == [1, 3, 1]
    assert all(0 <= piece.offset_ns < piece.every_ns for piece in pieces)
    assert shown(grids_of(span, YEAR)) == [f"{year}-01-01" for year in range(2020, 2026)]


def test_months_of_a_zone_begin_when_its_clock_shows_the_first() -> None:
    span = parse_range("2026-03-15T00:00:00Z", "2026-11-15T00:00:00Z")
    found = edges(grids_of(span, Windows(0, zone="Europe/Berlin", months=1)))
    assert [format_time(edge)[5:16] for edge in found][1:3] == ["03-31T22:00", "04-30T22:00"]
    assert [format_time(edge)[5:16] for edge in found][-3:-1] == ["09-30T22:00", "10-31T23:00"]


def test_windows_of_the_calendar_are_counted() -> None:
    century = parse_range("1900-01-01T00:00:00Z", "2000-01-01T00:00:00Z")
    assert [calendar_count(century, months) for months in (1, 5, 12)] == [1200, 240, 100]
    assert calendar_count(century, 1) == MOST_CALENDAR_WINDOWS
    assert calendar_count(parse_range("2026-01-31T00:00:00Z", "2026-02-01T00:00:00.000000001Z"), 1) == 2


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("months", [7, 12, 3504])
def test_calendar_windows_cover_all_time(zone: str, months: int) -> None:
    found = edges(grids_of(EVER, Windows(0, zone=zone, months=months)))
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (EARLIEST_NS, LATEST_NS + 1)
    assert abs(len(found) - 1 - calendar_count(EVER, months)) <= (0 if zone == "UTC" else 1)


@pytest.mark.parametrize(
    ("start", "stop", "windows", "whole"),
    [
        (
            "2026-01-01T00:20:00Z",
            "2026-01-01T03:10:00Z",
            Windows(HOUR_NS),
            ("2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z"),
        ),
        (
            "2026-01-01T01:00:00Z",
            "2026-01-01T03:00:00Z",
            Windows(HOUR_NS),
            ("2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z"),
        ),
        ("2026-01-01T01:00:01Z", "2026-01-01T02:59:59Z", Windows(HOUR_NS), None),
        ("2026-01-15T00:00:00Z", "2026-04-15T00:00:00Z", MONTH, ("2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z")),
        ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", MONTH, ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")),
        ("2026-02-02T00:00:00Z", "2026-03-31T00:00:00Z", MONTH, None),
        (
            "2026-10-23T12:00:00Z",
            "2026-10-27T12:00:00Z",
            Windows(DAY_NS, zone="Europe/Berlin"),
            ("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z"),
        ),
        (
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            Windows(DAY_NS, zone="Europe/Berlin"),
            ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ),
        ("2026-10-24T22:00:01Z", "2026-10-25T23:00:00Z", Windows(DAY_NS, zone="Europe/Berlin"), None),
        ("2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", Windows(DAY_NS, zone="Europe/Berlin"), None),
    ],
)
def test_whole_windows_are_those_that_the_range_does_not_cut(
    start: str, stop: str, windows: Windows, whole: tuple[str, str] | None
) -> None:
    assert whole_windows(parse_range(start, stop), windows) == (None if whole is None else parse_range(*whole))


@pytest.mark.parametrize(
    "windows", [Windows(2**62), Windows(7 * DAY_NS), Windows(DAY_NS, zone="Asia/Tokyo"), YEAR, Windows(0, months=3504)]
)
def test_the_ends_of_time_are_no_edges(windows: Windows) -> None:
    whole = whole_windows(EVER, windows)
    assert whole is None or (whole.start_ns > EARLIEST_NS and whole.stop_ns <= LATEST_NS)


@given(
    start_m=st.integers(0, 60 * 24 * 8),
    length_m=st.integers(1, 60 * 24 * 8),
    every_m=st.sampled_from([7, 45, 60, 80, 1440, 2880]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"]),
    change=st.sampled_from(["2025-03-28", "2025-10-24", "2025-04-03", "2025-10-02", "2025-03-06", "2025-10-31"]),
)
def test_every_window_of_the_whole_ones_is_one_of_a_longer_range(
    start_m: int, length_m: int, every_m: int, zone: str, change: str
) -> None:
    """The edges of a range that is long enough on both sides are the truth."""
    from_ns = parse_range(f"{change}T00:00:00Z", "2026-01-01T00:00:00Z").start_ns + start_m * 60 * 10**9
    span = TimeRange(from_ns, from_ns + length_m * 60 * 10**9)
    windows = Windows(every_m * 60 * 10**9, zone=zone)
    margin_ns = 10 * DAY_NS
    wide = edges(grids_of(TimeRange(span.start_ns - margin_ns, span.stop_ns + margin_ns), windows))[1:-1]
    inside = [edge for edge in wide if span.start_ns <= edge <= span.stop_ns]
    expected = TimeRange(inside[0], inside[-1]) if len(inside) > 1 else None
    assert whole_windows(span, windows) == expected


def test_a_window_that_ends_with_the_last_instant_is_whole() -> None:
    """The last instant is an edge of this grid: 2 * (2**62 - 1)."""
    whole = whole_windows(EVER, Windows(2**62 - 1))
    assert whole is not None
    assert whole.stop_ns == LATEST_NS


def test_at_the_ends_of_time_no_window_is_whole() -> None:
    """Time ends inside of a window, on either side."""
    for windows in (Windows(3_600 * 10**9), Windows(0, months=1)):
        assert whole_windows(TimeRange(LATEST_NS - 10, LATEST_NS + 1), windows) is None
        assert whole_windows(TimeRange(EARLIEST_NS, EARLIEST_NS + 10), windows) is None
