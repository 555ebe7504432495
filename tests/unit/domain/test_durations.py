"""Durations: one form, exact, and refused with the form spelled out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.durations import format_duration, parse_duration
from service.errors import InvalidParameter

HOUR_NS = 3_600_000_000_000


@pytest.mark.parametrize(
    ("text", "length_ns"),
    [("1s", 1_000_000_000), ("15m", HOUR_NS // 4), ("1h", HOUR_NS), ("30d", 720 * HOUR_NS), ("4w", 672 * HOUR_NS), ("007h", 7 * HOUR_NS)],
)
def test_a_whole_number_and_one_unit_is_a_duration(text: str, length_ns: int) -> None:
    assert parse_duration(text, "every") == length_ns


@pytest.mark.parametrize(
    "text",
    ["", "h", "1", "-1d", "+1d", "1.5h", "30x", "1H", "1h30m", " 1h", "1h ", "1h\n", "١h", "1e3s", "1ms", "1y", "9999999999s", "0x1s"],
)
def test_every_other_form_is_refused_with_the_form_spelled_out(text: str) -> None:
    with pytest.raises(InvalidParameter, match="whole number and one unit") as refused:
        parse_duration(text, "window")
    assert refused.value.parameter == "window"


def test_an_empty_duration_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="shortest duration is 1s"):
        parse_duration("0h", "window")


def test_a_duration_beyond_64_bits_of_nanoseconds_is_refused() -> None:
    assert parse_duration("15250w", "window") == 15250 * 168 * HOUR_NS
    with pytest.raises(InvalidParameter, match="292 years"):
        parse_duration("15251w", "window")


@given(st.integers(1, 9_000_000_000))
def test_what_is_formatted_parses_back(seconds: int) -> None:
    length_ns = seconds * 1_000_000_000
    text = format_duration(length_ns)
    if len(text) <= 10:
        assert parse_duration(text, "every") == length_ns


def test_the_shortest_text_is_used() -> None:
    assert [format_duration(hours * HOUR_NS) for hours in (1, 24, 168, 36)] == ["1h", "1d", "1w", "36h"]
