"""Query text: whatever a name holds, it stays a name. The scanners here are models of the servers' own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.selection import Fn
from service.domain.timerange import LATEST_NS, TimeRange
from service.domain.windows import Grid
from service.errors import InvalidParameter
from service.stores.influx import flux, influxql

NAMES = st.text(st.characters(blacklist_categories=("Cs",)))
HOSTILE = [
    'a"b',
    "a'b",
    "a\\",
    "\\",
    '\\"',
    "${x}",
    "$",
    "a\nb",
    "/* x */",
    '"; DROP MEASUREMENT m; --',
    "🌡",
    "a\\nb",
    "\x00\x1f\x7f",
]
SPAN = TimeRange(0, 3_600_000_000_000)


def scanned_flux(literal: str) -> str:
    """The text of one Flux string literal (scanner.rl, strconv.rs of flux v0.200.0).

    Fails on anything that is not exactly one."""
    assert literal[0] == literal[-1] == '"'
    text, place, body = [], 0, literal[1:-1]
    while place < len(body):
        if body[place] == '"' or body.startswith("${", place):
            raise AssertionError(f"ends or interpolates at {place}")
        if body[place] != "\\":
            text.append(body[place])
            place += 1
        elif body[place + 1] == "x":
            text.append(chr(int(body[place + 2 : place + 4], 16)))
            place += 4
        else:
            text.append({"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"'}[body[place + 1]])
            place += 2
    return "".join(text)


def scanned_influxql(literal: str) -> str:
    """The text of one quoted InfluxQL name or string (scanner.go ScanString of influxql v1.3.0)."""
    quote, body, text, place = literal[0], literal[1:-1], [], 0
    assert literal[-1] == quote
    while place < len(body):
        assert body[place] not in (quote, "\n"), "ends early"
        if body[place] == "\\":
            text.append({"n": "\n", "\\": "\\", '"': '"', "'": "'"}[body[place + 1]])
            place += 2
        else:
            text.append(body[place])
            place += 1
    return "".join(text)


@given(NAMES | st.sampled_from(HOSTILE))
def test_any_text_is_one_flux_literal(name: str) -> None:
    assert scanned_flux(flux.string(name)) == name


@given((NAMES | st.sampled_from(HOSTILE)).filter(influxql.can_quote))
def test_any_text_is_one_influxql_name_and_string(name: str) -> None:
    assert scanned_influxql(influxql.identifier(name)) == name
    assert scanned_influxql(influxql.string(name)) == name


@pytest.mark.parametrize("name", ["a\rb", "a\0b", "\0"])
def test_a_nul_or_carriage_return_cannot_be_said_in_influxql_and_is_refused(name: str) -> None:
    assert not influxql.can_quote(name)
    with pytest.raises(InvalidParameter, match="a NUL or a carriage return"):
        influxql.identifier(name)


def test_a_regular_expression_says_what_a_quoted_name_cannot() -> None:
    assert influxql.source("b", "m\0x") == '"b"."autogen"./^m\\x{0}x$/'
    assert influxql.where(SPAN, [("k", ("a\0", "", "b"))]).endswith("""("k"::tag =~ /^a\\x{0}$/ OR "k"::tag = 'b')""")


@pytest.mark.parametrize(
    ("key", "by_influxql", "by_flux"),
    [("a@b", True, False), ("$", True, False), ("$a", True, True), ("Time", False, True)],
)
def test_keys_that_a_filter_of_either_dialect_loses(key: str, by_influxql: bool, by_flux: bool) -> None:
    assert (influxql.can_filter(key), flux.can_filter(key)) == (by_influxql, by_flux)


@pytest.mark.parametrize(
    ("bucket", "found"),
    [
        ("plain", {"db": "plain", "rp": "autogen"}),
        ("a/b", {"db": "a", "rp": "b"}),
        ("a/b/c", {"db": "a", "rp": "b/c"}),
    ],
)
def test_a_bucket_is_found_as_influxdb_maps_its_name(bucket: str, found: dict[str, str]) -> None:
    assert influxql.database(bucket) == found


@pytest.mark.parametrize("bucket", ["/a", "a/", "/", "a\0b", "a/b\r"])
def test_a_bucket_that_influxql_cannot_find_is_refused(bucket: str) -> None:
    with pytest.raises(InvalidParameter, match="Rename it"):
        influxql.database(bucket)


def test_the_text_of_a_raw_read() -> None:
    origin = influxql.source("a b", 'm"x')
    assert influxql.select_points(origin, ["f"], ["t"], SPAN, [("t", ("1", "it's"))]) == (
        'SELECT "f"::field, "t"::tag FROM "a b"."autogen"."m\\"x"'
        " WHERE time >= 0 AND time <= 3599999999999 AND (\"t\"::tag = '1' OR \"t\"::tag = 'it\\'s') GROUP BY *"
    )


def test_the_text_of_an_aggregate() -> None:
    text = flux.pipeline(
        flux.source("a b", SPAN),
        flux.any_of("_measurement", ["m"]),
        flux.any_of("t", ["1", "2"]),
        flux.windows(Grid(SPAN, 60, 0), Fn.MEAN),
    )
    assert text == (
        'from(bucket: "a b")\n'
        "  |> range(start: 1970-01-01T00:00:00Z, stop: 1970-01-01T01:00:00Z)\n"
        '  |> filter(fn: (r) => r["_measurement"] == "m")\n'
        '  |> filter(fn: (r) => r["t"] == "1" or r["t"] == "2")\n'
        "  |> aggregateWindow(every: 60ns, fn: mean, createEmpty: false)\n"
        '  |> drop(columns: ["_start", "_stop"])'
    )


def test_an_offset_is_written_only_when_there_is_one() -> None:
    assert "offset: 7ns" in flux.windows(Grid(SPAN, 60, 7), Fn.LAST)
    assert "offset" not in flux.windows(Grid(SPAN, 60, 0), Fn.LAST)


@given(st.integers(-(2**62), LATEST_NS + 1))
def test_instants_are_flux_times(time_ns: int) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{9})?Z", flux.instant(time_ns))
