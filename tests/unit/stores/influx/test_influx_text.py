"""Query text: whatever a name holds, it stays a name. The scanners here are models of the servers' own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.domain.selection import Fn, Stamp
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


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("a b~", '"a b~"'),
        ("\x00\x1f\x20\x7f\x80", '"\\x00\\x1f \\x7f\x80"'),
        ("\t\r\n", '"\\x09\\x0d\\x0a"'),
        ("$", '"\\x24"'),
        ("~}|", '"~}|"'),
    ],
)
def test_control_characters_and_dollars_are_codes_in_flux(text: str, literal: str) -> None:
    assert flux.string(text) == literal


def test_the_text_of_flux_filters() -> None:
    assert flux.none_of("m", 'f"') == '  |> filter(fn: (r) => r._measurement != "m" or r._field != "f\\"")'
    assert flux.any_field([("m", "f"), ("n", "g")]) == (
        '  |> filter(fn: (r) => (r._measurement == "m" and r._field == "f")'
        ' or (r._measurement == "n" and r._field == "g"))'
    )


def test_the_text_that_asks_for_the_values_of_a_tag_in_all_time() -> None:
    assert flux.values_of_tag("a b", "t$") == (
        'import "influxdata/influxdb/schema"\n'
        'schema.tagValues(bucket: "a b", tag: "t\\x24", start: 1677-09-21T00:12:43.145224194Z)'
    )


def test_the_last_instant_is_the_last_that_influxdb_stores() -> None:
    assert flux.instant(LATEST_NS) == flux.instant(LATEST_NS + 1) == "2262-04-11T23:47:16.854775806Z"


def test_texts_are_carried_through_csv_with_codes() -> None:
    assert flux.as_text("p") == (
        "p\n"
        '  |> map(fn: (r) => ({r with _value: "=" + strings.replaceAll(v: strings.replaceAll('
        'v: strings.replaceAll(v: r._value, t: "\\\\", u: "\\\\b"), t: "\\x0a", u: "\\\\n"),'
        ' t: "\\x0d", u: "\\\\r")}))\n'
        '  |> yield(name: "text")'
    )
    assert flux.plain_text("=") == ""
    assert flux.plain_text("==a\\nb\\rc\\bn\\b\\b") == "=a\nb\rc\\n\\\\"


def test_a_window_that_is_named_by_its_start() -> None:
    assert flux.windows(Grid(SPAN, 60, 7), Fn.SUM, Stamp.START) == (
        '  |> aggregateWindow(every: 60ns, fn: sum, createEmpty: false, offset: 7ns, timeSrc: "_start")'
    )


FROM, EVERYWHERE = '"b"."autogen"."m"', "time >= -9223372036854775806 AND time <= 9223372036854775806"


def test_the_text_that_asks_for_the_first_and_the_last_point() -> None:
    fields = [("f", (FieldType.FLOAT, FieldType.STRING)), ("g", (FieldType.BOOLEAN,))]
    columns = '"f"::float, "f"::string, "g"::boolean'
    assert influxql.edge_point(FROM, fields, newest=True) == (
        f"SELECT {columns} FROM {FROM} WHERE {EVERYWHERE} ORDER BY time DESC LIMIT 1"
    )
    assert influxql.edge_point(FROM, fields, newest=False, span=SPAN, tags=[("t", ("a",))]) == (
        f"SELECT {columns} FROM {FROM} WHERE time >= 0 AND time <= 3599999999999 AND (\"t\"::tag = 'a')"
        " ORDER BY time ASC LIMIT 1"
    )


def test_the_text_that_counts() -> None:
    assert influxql.counts(FROM, ["f", "g"], SPAN, None) == (
        f'SELECT COUNT("f"::field), COUNT("g"::field) FROM {FROM} WHERE time >= 0 AND time <= 3599999999999'
    )
    assert influxql.counts(FROM, ["f"], SPAN, 60) == (
        f'SELECT COUNT("f"::field) FROM {FROM} WHERE time >= 0 AND time <= 3599999999999 GROUP BY time(60ns) fill(none)'
    )


def test_the_texts_of_the_small_questions() -> None:
    assert influxql.newest_value(FROM, "f", SPAN) == (
        f'SELECT LAST("f"::field) FROM {FROM} WHERE time >= 0 AND time <= 3599999999999 GROUP BY *'
    )
    assert influxql.one_point(FROM, "f") == (
        f'SELECT "f"::field FROM {FROM} WHERE {EVERYWHERE} GROUP BY * LIMIT 1 SLIMIT 1'
    )
    assert influxql.one_point_each(FROM, "x") == f"SELECT *::field FROM {FROM} WHERE x GROUP BY * LIMIT 1"
    assert influxql.any_tag_like(["s", "t"], "/x/") == f'("s"::tag =~ /x/ OR "t"::tag =~ /x/) AND {EVERYWHERE}'
    assert influxql.show_fields(FROM) == f"SHOW FIELD KEYS FROM {FROM}"
    assert influxql.show_tags() == "SHOW TAG KEYS"


def test_a_source_names_its_database_and_policy() -> None:
    assert influxql.source("b", "m") == FROM
    assert influxql.source("db/week", None) == '"db"."week"./.*/'


@pytest.mark.parametrize(
    ("name", "column"),
    [("f", '"f"::field'), ("f\0", "/^f\\x{0}$/"), ("ä_0", '"ä_0"::field'), ("\rä_0", "/^\\x{d}\\x{e4}\\x{5f}0$/")],
)
def test_a_column_is_a_quoted_name_or_an_expression_that_matches_it_alone(name: str, column: str) -> None:
    assert influxql.field(name) == column


@pytest.mark.parametrize(
    ("letter", "expression"),
    [
        ("\ud7ff", "d7ff"),
        ("\ud800", "fffd"),
        ("\udcff", "fffd"),
        ("\udfff", "fffd"),
        ("\ue000", "e000"),
        ("\ufffd", "fffd"),
    ],
)
def test_a_byte_that_is_no_utf8_matches_as_influxdb_shows_it(letter: str, expression: str) -> None:
    assert influxql.only(letter) == f"/^\\x{{{expression}}}$/"


@pytest.mark.parametrize(("name", "said"), [("\ud7ff", True), ("\ud800", False), ("\udfff", False), ("\ue000", True)])
def test_what_is_no_unicode_cannot_be_quoted(name: str, said: bool) -> None:
    assert influxql.can_quote(name) is said


def test_the_points_of_a_chart_are_four_pipelines_that_the_storage_engine_computes() -> None:
    text = flux.corner_points([flux.source("b", SPAN), flux.any_of("_field", ["f"])], Grid(SPAN, 60, 7))
    assert text.count('from(bucket: "b")') == text.count("|> window(every: 60ns, offset: 7ns)\n  |> ") == 4
    assert all(f"|> {fn}()\n  |> drop(" in text for fn in ("first", "last", "min", "max"))
    assert text.endswith('])\n  |> sort(columns: ["_time"])\n  |> unique(column: "_time")')
    assert flux.windows(Grid(SPAN, 60, 0), Fn.LAST, Stamp.POINT) == "  |> window(every: 60ns)\n  |> last()"


def test_points_are_counted_in_the_windows_of_the_read() -> None:
    text = flux.density([flux.source("b", SPAN)], Grid(SPAN, 60, 7))
    assert "aggregateWindow(every: 60ns, fn: count, createEmpty: false, offset: 7ns)\n  |> group()\n" in text
    assert "reduce(identity: {points: 0, windows: 0}" in text
