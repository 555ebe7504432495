"""Moments: each form that has one meaning is taken, and each other is refused with what to write instead."""

import pytest

from service.domain.moments import parse_moment
from service.domain.timerange import EARLIEST_NS, LATEST_NS, format_time
from service.errors import InvalidParameter

T_NS = 1_700_000_000 * 10**9
"""2023-11-14T22:13:20Z."""


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2023-11-14T22:13:20Z", T_NS),
        ("2023-11-14T23:13:20+01:00", T_NS),
        ("1700000000s", T_NS),
        ("1700000000000ms", T_NS),
        ("1700000000000000us", T_NS),
        ("1700000000000000000ns", T_NS),
        ("1700000000000000001ns", T_NS + 1),
        ("-1s", -(10**9)),
        ("0ns", 0),
        (f"{LATEST_NS}ns", LATEST_NS),
        (f"{EARLIEST_NS}ns", EARLIEST_NS),
        (f"{LATEST_NS + 1}ns", LATEST_NS + 1),
    ],
)
def test_an_instant_needs_no_zone(text: str, time_ns: int) -> None:
    assert parse_moment(text, "start", None) == time_ns
    assert parse_moment(text, "start", "Asia/Tokyo") == time_ns


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-01", "Europe/Berlin", "2026-10-31T23:00:00Z"),
        ("2026-11-01", "UTC", "2026-11-01T00:00:00Z"),
        ("2026-07-01T08:00", "Europe/Berlin", "2026-07-01T06:00:00Z"),
        ("2026-07-01 08:00:30", "Asia/Kolkata", "2026-07-01T02:30:30Z"),
        ("2026-07-01T08:00:30.000000001", "UTC", "2026-07-01T08:00:30.000000001Z"),
        ("2026-07-01T08:00:30.5", "UTC", "2026-07-01T08:00:30.500000000Z"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ("2024-11-03", "America/Havana", "2024-11-03T04:00:00Z"),
    ],
)
def test_a_time_of_a_named_zone(text: str, zone: str, instant: str) -> None:
    """In São Paulo that day began at one o'clock, in Havana its first hour came twice: a day begins where it begins."""
    assert format_time(parse_moment(text, "start", zone)) == instant


@pytest.mark.parametrize("text", ["2026-11-01", "2026-11-01T08:00", "2026-11-01T08:00:00", "2026-11-01 08:00:00.5"])
def test_a_local_time_without_a_zone_is_refused_with_what_to_add(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"no offset.*Add tz=") as refused:
        parse_moment(text, "start", None)
    assert refused.value.parameter == "start"
    assert "Add tz=, such as tz=Europe/Berlin (or tz=UTC), or write an offset" in refused.value.message
    advice = refused.value.message.partition("write an offset: ")[2].removesuffix(".")
    assert advice.endswith("Z")
    assert parse_moment(advice, "start", None) == parse_moment(text, "start", "UTC")


def test_where_no_zone_can_be_named_an_offset_alone_is_advised() -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_moment("2026-11-01", "start", None, None)
    assert refused.value.message.endswith("names no instant. Write an offset: 2026-11-01T00:00:00Z.")
    with pytest.raises(InvalidParameter, match="Add zone=, such as zone=Europe/Berlin"):
        parse_moment("2026-11-01", "start", None, "zone")


def test_a_time_that_comes_twice_is_refused_with_both_instants() -> None:
    with pytest.raises(InvalidParameter, match="2026-10-25T00:30:00Z and 2026-10-25T01:30:00Z"):
        parse_moment("2026-10-25T02:30", "start", "Europe/Berlin")
    assert format_time(parse_moment("2026-10-25T03:00", "start", "Europe/Berlin")) == "2026-10-25T02:00:00Z"


def test_a_time_that_the_clock_skips_is_refused_with_the_instant_of_the_change() -> None:
    with pytest.raises(InvalidParameter, match=r"skips that time.*changes at 2026-03-29T01:00:00Z"):
        parse_moment("2026-03-29T02:30", "stop", "Europe/Berlin")
    with pytest.raises(InvalidParameter, match="a day that Pacific/Apia skipped"):
        parse_moment("2011-12-30", "stop", "Pacific/Apia")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("999999999", "999999999s"),
        ("1700000000", "1700000000s"),
        ("-1700000000", "-1700000000s"),
        ("999999999999", "999999999999ms"),
        ("999999999999999", "999999999999999us"),
        ("999999999999999999", "999999999999999999ns"),
        ("1700000000000", "1700000000000ms"),
        ("1700000000000000", "1700000000000000us"),
        ("1700000000000000000", "1700000000000000000ns"),
    ],
)
def test_a_number_without_a_unit_is_refused_and_the_likely_one_named(text: str, meant: str) -> None:
    with pytest.raises(InvalidParameter, match=rf"has no unit. Did you mean {meant}\?"):
        parse_moment(text, "start", "UTC")


@pytest.mark.parametrize("digits", [11, 14, 17])
def test_a_number_of_a_length_that_no_unit_fits_is_refused_and_no_unit_named(digits: int) -> None:
    text = "7" * digits
    with pytest.raises(InvalidParameter, match=rf"has no unit. Write {text}s, {text}ms, {text}us or {text}ns since"):
        parse_moment(text, "start", "UTC")


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "2026-13-01", "2026-01-01T25:00", "2500-01-01", "1600-01-01", "1600-01-01T00:00", "99999999999s",
        "12", "", "now", "2026-01", "2026-01-01T08", "2026-01-01T08:00.5", "2026-01-01T08:00:00 01:00", "1.5s",
        "10000000000000000000ns",
    ],
)  # fmt: skip
def test_what_names_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_moment(text, "start", "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2500-01-01", "Europe/Berlin"),
        ("1600-01-01T00:00", "Europe/Berlin"),
        (f"{LATEST_NS + 2}ns", None),
        (f"{EARLIEST_NS - 1}ns", None),
    ],
)
def test_what_influxdb_cannot_store_is_refused_as_such(text: str, zone: str | None) -> None:
    with pytest.raises(InvalidParameter, match=f"{text}' is outside 1677-09-21"):
        parse_moment(text, "start", zone)
