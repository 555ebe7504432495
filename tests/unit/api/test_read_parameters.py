"""What the parameters of a read may cost before anything is read."""

import pytest

from service.api.read_parameters import Question, needs_clock, negotiate, parse_question
from service.encoding.encoders import Format
from service.errors import NotAcceptable, TooManyWindows
from tests.support.work import steps_of

WHOLE = [("start", "1677-10-01T00:00:00Z"), ("stop", "2262-01-01T00:00:00Z")]


def asked(*pairs: tuple[str, str]) -> Question:
    return parse_question("x", [*WHOLE, *pairs], None, 0, "30m", 1_000_000)


def test_seconds_of_six_centuries_are_refused_without_looking_at_the_clock_of_the_zone() -> None:
    def ask() -> None:
        with pytest.raises(TooManyWindows, match="makes about 18437155200 windows"):
            asked(("every", "1s"), ("tz", "Antarctica/Troll"))

    assert steps_of(ask) < 20_000, "a look at the clock of all these years is two million steps"


def test_in_utc_the_number_of_windows_is_exact() -> None:
    with pytest.raises(TooManyWindows, match="makes 18437155200 windows"):
        asked(("every", "1s"))


def test_the_changes_of_a_zone_are_looked_up_once() -> None:
    asked(("every", "1d"), ("tz", "Europe/Berlin"))
    again = steps_of(lambda: asked(("every", "1d"), ("tz", "Europe/Berlin")))
    assert again < 200_000, "a look at the clock of all these years is two million steps"


def test_only_a_zone_other_than_utc_needs_its_clock() -> None:
    assert [needs_clock([("tz", zone)]) for zone in ("Europe/Berlin", "UTC", "")] == [True, False, False]
    assert not needs_clock([("every", "1h")])


def test_the_first_fifty_media_ranges_count_and_the_rest_costs_nothing() -> None:
    assert negotiate("a/b," * 49 + "application/json") is Format.JSON
    with pytest.raises(NotAcceptable):
        negotiate("a/b," * 50 + "application/json")
    assert negotiate("application/json;" + "a=b;" * 8000) is Format.JSON

    def refuse(ranges: int) -> None:
        with pytest.raises(NotAcceptable):
            negotiate("a," * ranges)

    assert steps_of(lambda: refuse(8000)) < 1.1 * steps_of(lambda: refuse(50))
