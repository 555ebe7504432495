"""When schedules fire.

Cron in a time zone through both clock changes, intervals on their grid, missed ticks by policy.
"""

import datetime as dt
import zoneinfo
from typing import Any

import pytest

from service.domain.schedule import Due, Missed, Schedule, due
from service.errors import InvalidParameter

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


def ticks(schedule: Schedule, start: str, number: int) -> list[str]:
    moment, found = at(start), []
    for _ in range(number):
        moment = schedule.next_after(moment)
        found.append(dt.datetime.fromtimestamp(moment, BERLIN).isoformat())
    return found


def test_a_cron_expression_is_read_in_its_zone() -> None:
    workdays = Schedule("s", "count", cron="30 6 * * MON-FRI", zone="Europe/Berlin")
    assert ticks(workdays, "2026-01-02T06:30:00+01:00", 2) == ["2026-01-05T06:30:00+01:00", "2026-01-06T06:30:00+01:00"]
    assert ticks(Schedule("s", "count", cron="0 * * * *"), "2026-01-01T00:00:00.5+00:00", 1) == [
        "2026-01-01T02:00:00+01:00"
    ]


def test_the_hour_that_comes_twice_in_autumn_fires_once() -> None:
    nightly = Schedule("s", "count", cron="30 2 * * *", zone="Europe/Berlin")
    assert ticks(nightly, "2026-10-24T12:00:00+02:00", 2) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_the_hour_that_is_left_out_in_spring_does_not_lose_the_run() -> None:
    nightly = Schedule("s", "count", cron="30 2 * * *", zone="Europe/Berlin")
    assert ticks(nightly, "2026-03-28T12:00:00+01:00", 2) == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_every_ten_minutes_goes_on_through_the_hour_that_comes_twice() -> None:
    often = Schedule("s", "count", cron="*/10 * * * *", zone="Europe/Berlin")
    moment, gaps = at("2026-10-25T01:50:00+02:00"), set()
    for _ in range(15):
        gaps.add(often.next_after(moment) - moment)
        moment = often.next_after(moment)
    assert gaps == {600.0}


def test_an_interval_lies_on_its_grid() -> None:
    every = Schedule("s", "count", every="00:10:00")
    assert [every.next_after(moment) for moment in (0.0, 599.9, 600.0, 601.0)] == [600.0, 600.0, 1200.0, 1200.0]
    assert Schedule("s", "count", every="100:00:00").next_after(0.0) == 360_000.0
    assert Schedule("s", "count", every="00:00:07").next_after(0.0) == 7.0
    assert Schedule("s", "count", every="01:01:01").next_after(0.0) == 3_661.0


def test_a_schedule_is_enabled_in_utc_catches_up_once_and_waits_for_its_first_tick_unless_it_says_otherwise() -> None:
    plain = Schedule("s", "count", every="00:10:00")
    assert (plain.enabled, plain.zone, plain.missed, plain.at_start) == (True, "UTC", Missed.RUN_ONCE, False)


@pytest.mark.parametrize(
    ("fields", "parameter", "says"),
    [
        ({"cron": "every hour"}, "cron", "five parts"),
        ({"cron": "61 * * * *"}, "cron", "minute"),
        ({"cron": "0 0 30 2 *"}, "cron", "is no cron expression .Bad day-of-month"),
        ({"cron": "0 0 */31 * MON#5"}, "cron", "never comes"),  # no fifth Monday is the first of a month
        ({"cron": "0 * * * *", "zone": "Mars/Olympus"}, "zone", "Europe/Berlin"),
        ({"cron": "0 * * * *", "zone": ""}, "zone", "Europe/Berlin"),
        ({"cron": "0 * * * *", "zone": "../../etc/passwd"}, "zone", "Europe/Berlin"),
        ({"every": "10m"}, "every", "HH:MM:SS"),
        ({"every": "00:00:00"}, "every", "HH:MM:SS"),
        ({"every": "00:61:00"}, "every", "HH:MM:SS"),
        ({"every": "1:00:00"}, "every", "HH:MM:SS"),
        ({}, "cron", "either"),
        ({"cron": "0 * * * *", "every": "01:00:00"}, "cron", "not both"),
    ],
)
def test_a_wrong_text_is_refused_with_the_form(fields: dict[str, Any], parameter: str, says: str) -> None:
    with pytest.raises(InvalidParameter, match=says) as refused:
        Schedule("s", "count", **fields)
    assert refused.value.parameter == parameter


def test_missed_ticks_fire_once_or_not_at_all() -> None:
    once = Schedule("s", "count", every="01:00:00")
    skip = Schedule("s", "count", every="01:00:00", missed=Missed.SKIP)
    assert due(once, 3600.0, 3599.0) is None
    assert due(once, 3600.0, 3600.0) == due(skip, 3600.0, 3600.0) == Due(True, 7200.0)
    assert due(once, 3600.0, 20_000.0) == Due(True, 21_600.0)
    assert due(skip, 3600.0, 20_000.0) == Due(False, 21_600.0)
    assert due(skip, 3600.0, 3659.0) == Due(True, 7200.0)
    assert due(skip, 3600.0, 3661.0) == Due(False, 7200.0)
