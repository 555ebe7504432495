"""Line protocol against the server itself: what we take, InfluxDB takes, and it stores what we read."""

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.frames.points import Points
from service.lineprotocol.json_points import points_to_lines
from service.lineprotocol.names import Unwritable, quote_field, quote_measurement, quote_tag
from service.lineprotocol.parser import parse_lines
from tests.support.influxql_rows import Stored, field_types, stored_in
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
NOW_NS = 1_700_000_000_123_456_789
BASE_NS = 1_699_920_000_000_000_000
PARTS = st.sampled_from(
    [
        "a",
        "é",
        "🌡",
        " ",
        ",",
        "=",
        '"',
        "\\",
        "\\ ",
        "\\,",
        "\\=",
        '\\"',
        "\\\\",
        "\t",
        "\0",
        "\r",
        "#",
        "'",
        "\n",
        "{",
        "\u2028",
    ]
)
RAW_NAMES = st.lists(PARTS, min_size=1, max_size=5).map("".join)
NAMES = st.one_of(RAW_NAMES, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6))
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=25).map(str),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: f"{number}i"),
    st.integers(0, 2**64 - 1).map(lambda number: f"{number}u"),
    st.sampled_from(
        [
            "t",
            "T",
            "True",
            "f",
            "FALSE",
            "1.",
            ".5",
            "-.5",
            "1e-400",
            "-0",
            "007",
            "00i",
            "-0i",
            "5e-324",
            "2.4703282292062328e-324",
        ]
    ),
    st.lists(PARTS, max_size=5).map(lambda parts: '"' + "".join(parts) + '"'),
)


@st.composite
def raw_lines(draw: st.DrawFn, number: int) -> str:
    tags = "".join(f",{draw(RAW_NAMES)}={draw(RAW_NAMES)}" for _ in range(draw(st.integers(0, 2))))
    fields = ",".join(f"{draw(RAW_NAMES)}={draw(VALUES)}" for _ in range(draw(st.integers(1, 2))))
    return f"m{number}{draw(RAW_NAMES)}{tags} {fields} {BASE_NS + number}\n"


def exact(value: Any) -> tuple[str, object]:
    """A value with its type, floats by their bits; the server has one kind of whole numbers in msgpack."""
    if isinstance(value, float):
        return "float", struct.pack(">d", value)
    return type(value).__name__, value


def expected(points: Points) -> Stored:
    """What the columns say: the later value of a field wins."""
    return {
        (points.keys[key].measurement, points.keys[key].tags, points.keys[key].field, int(points.times_ns[line])): value
        for column in points.columns
        for key, line, value in zip(column.keys, column.lines, column.values.to_pylist(), strict=True)
    }


def assert_stored(influx: InfluxServer, points: Points) -> None:
    bucket = influx.new_bucket()
    influx.write(bucket, points.text.decode())
    stored, wanted = stored_in(influx, bucket), expected(points)
    assert {key: exact(value) for key, value in stored.items()} == {key: exact(value) for key, value in wanted.items()}
    assert field_types(influx, bucket) == {(key.measurement, key.field): key.type.value for key in points.keys}


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_taken_is_stored_as_it_was_read(influx: InfluxServer, data: st.DataObject) -> None:
    lines = [data.draw(raw_lines(number)) for number in range(12)]
    one_by_one = [
        line for line in lines if not parse_lines(line.encode(), "ns", NOW_NS).bad and not _names_a_field_twice(line)
    ]
    assert_stored(influx, parse_lines("".join(one_by_one).encode(), "ns", NOW_NS, columnar=False).points)


def _names_a_field_twice(line: str) -> bool:
    """With two types that is a conflict, which the store reports, not the parser."""
    keys = parse_lines(line.encode(), "ns", NOW_NS).points.keys
    return len({key.field for key in keys}) < len(keys)


def _hides_the_end_of_its_line(point: dict[str, Any]) -> bool:
    """Whether the point is refused on its own: names that may each be written make a line that has no end together.

    The server looks for the end of a line before it reads names (scanLine in models/points.go). There `\\\\ ` is a
    backslash and the space before the fields, so a quotation mark in the field's name opens a string.
    """
    bad = parse_lines(points_to_lines([point]), "ns", NOW_NS).bad
    if bad:
        assert "\\ " in "".join((point["measurement"], *point["tags"], *point["tags"].values()))
        assert '"' in "".join(point["fields"])
    return bool(bad)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(NAMES, NAMES, NAMES, NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
        min_size=5,
        max_size=15,
    )
)
@example(
    [
        ("a b", "k=", "v,", 'f"', "x\ny"),
        ("C:\\dir", "p\\q", "a\\ b", "g\\h", "\\"),
        ("a\\,b", "x\\,y", "x\\=y", "z", '\\"'),
        ("a", "a", "\\ \\=", '"', ""),
    ]
)
def test_quoted_names_come_back_from_the_server(
    influx: InfluxServer, names: list[tuple[str, str, str, str, str]]
) -> None:
    points = []
    for number, (measurement, tag, value, field, text) in enumerate(names):
        try:
            quote_measurement(f"{number}{measurement}"), quote_tag(tag, value), quote_field(field)
        except Unwritable:
            continue
        point = {
            "measurement": f"{number}{measurement}",
            "tags": {tag: value},
            "fields": {field: text},
            "time": BASE_NS + number,
        }
        if _hides_the_end_of_its_line(point):
            continue
        points.append(point)
    parsed = parse_lines(points_to_lines(points), "ns", NOW_NS)
    assert parsed.bad == ()
    wanted = {(one["measurement"], tuple(one["tags"].items()), *one["fields"], one["time"]) for one in points}  # type: ignore[attr-defined, misc]
    assert set(expected(parsed.points)) == wanted
    assert_stored(influx, parsed.points)


@pytest.mark.parametrize("time_ns", [-9_223_372_036_854_775_806, -1, 0, 9_223_372_036_854_775_806])
def test_the_ends_of_time_are_stored(influx: InfluxServer, time_ns: int) -> None:
    assert_stored(influx, parse_lines(f"m f=1 {time_ns}".encode(), "ns", NOW_NS).points)


def test_a_string_that_spans_lines_is_stored_whole(influx: InfluxServer) -> None:
    assert_stored(influx, parse_lines(b'm f="a\n# b\nm f=1" 1\r\nm g=2i 2\r\n', "s", NOW_NS).points)


@pytest.mark.parametrize(
    "line",
    [
        "m,t=v",
        "m f=1,",
        "m f=1.2.3",
        "m f=1 1 2",
        "m,a=1,a=2 f=1",
        "m f=NaN",
        "m f=99999999999999999999i",
        "m f=1 9223372036854775807",
    ],
)
def test_what_the_server_refuses_is_refused_before(influx: InfluxServer, influx_bucket: str, line: str) -> None:
    with influx.http() as http:
        assert http.post("/api/v2/write", params={"bucket": influx_bucket}, content=line).status_code == 400
    assert len(parse_lines(line.encode(), "ns", NOW_NS).bad) == 1
