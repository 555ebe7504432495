"""Which instants a local clock shows a time at, by the changes that the IANA database gives."""

import datetime as dt

import pytest

from service.domain.local_time import first_instant, instants_of, is_zone, shown_ns
from service.domain.timerange import EARLIEST_NS, LATEST_NS, parse_time

DAY_NS = 86_400 * 10**9


def shown(text: str) -> int:
    """What the clock shows, as ns; `text` is a local time without an offset."""
    return shown_ns(dt.datetime.fromisoformat(text))


def instant(text: str) -> int:
    return parse_time(f"{text}Z", "t")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("UTC", True), ("Europe/Berlin", True), ("America/Argentina/Ushuaia", True),
        ("Europe", False), ("Europe/Nowhere", False), ("", False), ("/etc/passwd", False), ("../UTC", False),
        ("UTC\0", False), ("x" * 5_000, False),
    ],
)  # fmt: skip
def test_a_zone_is_a_name_of_the_iana_database_and_no_folder_or_path(name: str, known: bool) -> None:
    assert is_zone(name) is known


def test_what_a_clock_shows_is_counted_from_its_1970() -> None:
    assert shown("1970-01-01T00:00:00") == 0
    assert shown("1970-01-02T00:00:00.000001") == DAY_NS + 1_000
    assert shown("1969-12-31T23:59:59.999999") == -1_000


@pytest.mark.parametrize(
    ("zone", "local", "instants"),
    [
        ("UTC", "2026-03-29T02:30:00", ["2026-03-29T02:30:00"]),
        ("Europe/Berlin", "2026-03-29T01:59:59", ["2026-03-29T00:59:59"]),
        ("Europe/Berlin", "2026-03-29T02:00:00", []),
        ("Europe/Berlin", "2026-03-29T02:59:59", []),
        ("Europe/Berlin", "2026-03-29T03:00:00", ["2026-03-29T01:00:00"]),
        ("Europe/Berlin", "2026-10-25T01:59:59", ["2026-10-24T23:59:59"]),
        ("Europe/Berlin", "2026-10-25T02:00:00", ["2026-10-25T00:00:00", "2026-10-25T01:00:00"]),
        ("Europe/Berlin", "2026-10-25T02:59:59", ["2026-10-25T00:59:59", "2026-10-25T01:59:59"]),
        ("Europe/Berlin", "2026-10-25T03:00:00", ["2026-10-25T02:00:00"]),
        ("Pacific/Kiritimati", "2026-01-01T00:00:00", ["2025-12-31T10:00:00"]),  # the farthest ahead: 14 h
        ("Pacific/Niue", "2026-01-01T00:00:00", ["2026-01-01T11:00:00"]),
        ("Pacific/Apia", "2011-12-30T12:00:00", []),  # a day that the clock skips
    ],
)
def test_a_clock_shows_most_times_once(zone: str, local: str, instants: list[str]) -> None:
    assert instants_of(shown(local), zone) == [instant(text) for text in instants]


@pytest.mark.parametrize(
    ("zone", "local", "first"),
    [
        ("Europe/Berlin", "2026-01-01T00:00:00", "2025-12-31T23:00:00"),
        ("Europe/Berlin", "2026-03-29T02:00:00", "2026-03-29T01:00:00"),
        ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:00:00"),
        ("Europe/Berlin", "2026-10-25T02:00:00", "2026-10-25T00:00:00"),
        ("Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00"),
        ("Pacific/Apia", "2011-12-30T00:00:00", "2011-12-30T10:00:00"),
        ("Pacific/Apia", "2011-12-30T23:59:59", "2011-12-30T10:00:00"),
    ],
)
def test_the_first_instant_of_a_time_that_is_skipped_is_the_change(zone: str, local: str, first: str) -> None:
    assert first_instant(shown(local), zone) == instant(first)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_day_outside_of_what_influxdb_can_store_no_clock_shows_anything(zone: str) -> None:
    for local_ns in (EARLIEST_NS - DAY_NS - 1, EARLIEST_NS - DAY_NS, LATEST_NS + DAY_NS, LATEST_NS + 1 + DAY_NS):
        assert first_instant(local_ns, zone) is None
        assert instants_of(local_ns, zone) == []


def test_the_first_and_the_last_instant_are_shown() -> None:
    assert first_instant(EARLIEST_NS, "UTC") == EARLIEST_NS
    assert instants_of(EARLIEST_NS, "UTC") == [EARLIEST_NS]
    assert first_instant(LATEST_NS, "UTC") == LATEST_NS
    assert instants_of(LATEST_NS, "UTC") == [LATEST_NS]
    assert first_instant(EARLIEST_NS - 1, "UTC") == EARLIEST_NS
    assert first_instant(EARLIEST_NS - DAY_NS + 1, "UTC") == EARLIEST_NS
    assert instants_of(EARLIEST_NS - 1, "UTC") == []
