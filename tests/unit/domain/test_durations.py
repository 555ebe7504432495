"""Durations: one form, exact, and refused with the form spelled out."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.durations import LONGEST_NS, Length, format_duration, format_every, parse_duration, parse_every
from service.errors import InvalidParameter

HOUR_NS = 3_600_000_000_000


@pytest.mark.parametrize(
    ("text", "length_ns"),
    [
        ("1s", 1_000_000_000),
        ("15m", HOUR_NS // 4),
        ("1h", HOUR_NS),
        ("30d", 720 * HOUR_NS),
        ("4w", 672 * HOUR_NS),
        ("007h", 7 * HOUR_NS),
    ],
)
def test_a_whole_number_and_one_unit_is_a_duration(text: str, length_ns: int) -> None:
    assert parse_duration(text, "every") == length_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "1",
        "-1d",
        "+1d",
        "1.5h",
        "30x",
        "1H",
        "1h30m",
        " 1h",
        "1h ",
        "1h\n",
        "١h",
        "1e3s",
        "1ms",
        "1y",
        "9999999999s",
        "0x1s",
    ],
)
def test_every_other_form_is_refused_with_the_form_spelled_out(text: str) -> None:
    with pytest.raises(InvalidParameter, match="whole number and one unit") as refused:
        parse_duration(text, "window")
    assert refused.value.parameter == "window"
    assert "None" not in str(refused.value)


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


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1h", Length(HOUR_NS)),
        ("500ms", Length(500_000_000)),
        ("250us", Length(250_000)),
        ("1ns", Length(1)),
        ("1mo", Length(months=1)),
        ("2y", Length(months=24)),
        ("292y", Length(months=3504)),
    ],
)
def test_windows_may_also_be_short_or_of_the_calendar(text: str, length: Length) -> None:
    assert parse_every(text, "every") == length


@pytest.mark.parametrize("text", ["1M", "0mo", "0ms", "293y", "1.5mo", "mo", "1mo15d", "-1y", "9223372037s", "15251w"])
def test_a_window_has_one_unit_and_at_most_292_years(text: str) -> None:
    with pytest.raises(InvalidParameter, match="every="):
        parse_every(text, "every")


@pytest.mark.parametrize(("ns", "months"), [(0, 0), (1, 1), (-1, 0), (0, -1), (5, -1)])
def test_a_length_is_one_of_both(ns: int, months: int) -> None:
    with pytest.raises(ValueError, match="no length"):
        Length(ns, months)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30days", "30d"), ("1hour", "1h"), ("1 hour", "1h"), ("1H", "1h"), ("90sec", "90s"), ("1min", "1m"),
        ("5mins", "5m"),
        ("2weeks", "2w"), ("1D", "1d"),
    ],
)  # fmt: skip
def test_a_word_for_a_unit_is_refused_and_the_unit_named(text: str, meant: str) -> None:
    for parse in (parse_duration, parse_every):
        with pytest.raises(InvalidParameter, match=rf"Did you mean {meant}\?"):
            parse(text, "window")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("1month", "1mo"), ("1M", "1mo"), ("2years", "2y"), ("1yr", "1y"), ("500msec", "500ms"), ("10\u00b5s", "10us")],
)
def test_units_that_only_windows_have_are_named_for_windows(text: str, meant: str) -> None:
    with pytest.raises(InvalidParameter, match=rf"Did you mean {meant}\?"):
        parse_every(text, "every")
    with pytest.raises(InvalidParameter) as refused:
        parse_duration(text, "window")
    assert "Did you mean" not in refused.value.message
    is_of_calendar = meant.endswith(("mo", "y"))
    assert ("say this range in days, or with start and stop" in refused.value.message) is is_of_calendar


def test_the_longest_duration_is_the_greatest_number_of_64_bits() -> None:
    assert struct.unpack(">q", struct.pack(">q", LONGEST_NS)) == (LONGEST_NS,)
    with pytest.raises(struct.error):
        struct.pack(">q", LONGEST_NS + 1)


def test_the_shortest_text_is_used() -> None:
    assert [format_duration(hours * HOUR_NS) for hours in (1, 24, 168, 36)] == ["1h", "1d", "1w", "36h"]


def test_a_part_of_a_second_is_no_duration_that_can_be_formatted() -> None:
    with pytest.raises(ValueError, match="1500000000 ns is no whole number of seconds"):
        format_duration(1_500_000_000)


@pytest.mark.parametrize(
    ("length_ns", "text"),
    [(1, "1ns"), (1_500_000, "1500us"), (86_487_000_000, "86487ms"), (60 * 10**9, "1m"), (14 * 24 * HOUR_NS, "2w")],
)
def test_a_window_is_said_in_the_longest_unit_that_fits(length_ns: int, text: str) -> None:
    assert format_every(length_ns) == text


@given(st.integers(1, LONGEST_NS))
def test_a_length_that_can_be_said_is_read_back(length_ns: int) -> None:
    try:
        text = format_every(length_ns)
    except ValueError:
        return
    assert parse_every(text, "every") == Length(length_ns)


def test_a_length_of_too_many_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be said"):
        format_every(1_000_000_001)
