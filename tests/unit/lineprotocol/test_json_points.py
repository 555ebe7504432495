"""JSON points become the line protocol that says the same, or are refused by index and reason."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.errors import InvalidBody, InvalidParameter, PointsRefused
from service.lineprotocol.json_points import format_value, points_to_lines
from service.lineprotocol.json_points_reader import read_points
from service.lineprotocol.names import Unwritable, quote_field, quote_measurement, quote_tag
from service.lineprotocol.parser import parse_lines

HOSTILE = st.one_of(
    st.lists(st.sampled_from(list('a é,="\\#\t\0\r\n🌡')), min_size=1, max_size=6).map("".join),
    st.text(min_size=1, max_size=8),
)


def point(**changes: Any) -> dict[str, Any]:
    return {"measurement": "m", "fields": {"f": 1.5}, "time": 7} | changes


def reason(wrong: object, precision: str = "ns") -> str:
    with pytest.raises(PointsRefused) as raised:
        points_to_lines([wrong], precision)
    [found] = raised.value.extra["points"]  # type: ignore[misc]
    assert found["index"] == 0
    return str(found["reason"])


def test_a_point_becomes_one_line_with_sorted_tags_and_the_types_of_json() -> None:
    text = (
        '{"measurement": "my m", "tags": {"b": "2,", "a": "x=y"}, '
        '"fields": {"f": 7.0, "i": 7, "on": true, "s": "say \\"hi\\"\\n"}, "time": 42}'
    )
    assert points_to_lines([json.loads(text)]) == b'my\\ m,a=x\\=y,b=2\\, f=7.0,i=7i,on=true,s="say \\"hi\\"\n" 42\n'


def test_a_type_can_be_named() -> None:
    fields = {
        "u": {"value": 18_446_744_073_709_551_615, "type": "unsigned"},
        "f": {"value": 7, "type": "float"},
        "i": {"value": -1, "type": "integer"},
        "s": {"value": "x", "type": "string"},
        "b": {"value": False, "type": "boolean"},
    }
    assert points_to_lines([point(fields=fields)]) == b'm u=18446744073709551615u,f=7.0,i=-1i,s="x",b=false 7\n'


def test_a_time_is_a_number_in_the_precision_or_rfc_3339_or_absent() -> None:
    times = [7, "1970-01-01T00:00:01Z", "1970-01-01T01:00:02+01:00", None]
    assert points_to_lines([point(time=time) for time in times], "s") == b"m f=1.5 7\nm f=1.5 1\nm f=1.5 2\nm f=1.5\n"
    assert points_to_lines([point(time="1970-01-01T00:00:00.000000007Z")]) == b"m f=1.5 7\n"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (7, "a point is an object"),
        (point(field=1), "no member 'field'"),
        (point(measurement=None), '"measurement" must be a string'),
        (point(measurement=""), "a measurement cannot be empty"),
        (point(measurement="a\nb"), "cannot hold a line feed"),
        (point(measurement="#m"), "cannot begin with '#'"),
        (point(measurement="m\\"), "has a backslash where line protocol cannot hold one"),
        (point(tags=[]), '"tags" must be an object'),
        (point(tags={"t": 1}), "the value of the tag 't' must be a string, not 1"),
        (point(tags={"t": ""}), "the value of the tag 't' cannot be empty"),
        (point(tags={"t": "C:\\"}), "has a backslash where line protocol cannot hold one"),
        (point(tags={"time": "x"}), "'time' cannot be a tag key"),
        (point(fields={}), '"fields" must be an object with at least one field'),
        (point(fields={"": 1}), "a field name cannot be empty"),
        (point(fields={"time": 1}), "cannot be named time"),
        (point(fields={"f": None}), "the field 'f': null cannot be stored"),
        (point(fields={"f": [1]}), "[1] is no value of a field"),
        (point(fields={"f": float("nan")}), "NaN, infinity"),
        (point(fields={"f": 10**400}), "outside -9223372036854775808 to 9223372036854775807"),
        (point(fields={"f": 2**63}), "outside -9223372036854775808 to 9223372036854775807"),
        (point(fields={"f": {"value": -1, "type": "unsigned"}}), "outside 0 to 18446744073709551615"),
        (point(fields={"f": {"value": 2**53 + 1, "type": "float"}}), "9007199254740993 is no 64-bit float"),
        (point(fields={"f": {"value": 1.5, "type": "integer"}}), "1.5 is no integer"),
        (point(fields={"f": {"value": True, "type": "integer"}}), "True is no integer"),
        (point(fields={"f": {"value": 1, "type": "int"}}), "none of float, integer, unsigned, string, boolean"),
        (point(fields={"f": {"value": 1}}), '{"value": ..., "type": ...}'),
        (point(fields={"f": "\ud800"}), "half a surrogate pair"),
        (point(fields={"f": "x" * 1_048_577}), "1048577 bytes"),
        (point(time="2026-01-01"), "is not an RFC 3339 time"),
        (point(time=1.5), "1.5 is neither a whole number nor RFC 3339"),
        (point(time=True), "True is neither"),
        (point(time=2**63), "outside 1677-09-21"),
    ],
)
def test_a_wrong_point_is_refused_with_the_reason(wrong: object, words: str) -> None:
    assert words in reason(wrong)


def test_a_time_finer_than_the_precision_is_refused_not_cut() -> None:
    assert "finer than the precision" in reason(point(time="1970-01-01T00:00:00.5Z"), "s")


def test_every_wrong_point_is_named_by_its_index() -> None:
    with pytest.raises(PointsRefused, match=r"2 of 3 points cannot be taken. Point 0: ") as raised:
        points_to_lines([point(time="x"), point(), point(fields={})])
    assert [wrong["index"] for wrong in raised.value.extra["points"]] == [0, 2]  # type: ignore[attr-defined]


def test_another_precision_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        points_to_lines([], "m")


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, st.text(st.characters(exclude_categories=["Cs"])))
@example("a\\", "b", "c", "d", "e")
@example("a", "t\\ u", "c\\ d", 'd\\"e', "\\")
def test_hostile_names_come_back_or_are_refused(measurement: str, tag: str, value: str, field: str, text: str) -> None:
    try:
        quote_measurement(measurement), quote_tag(tag, value), quote_field(field)
    except Unwritable:
        return
    lines = points_to_lines([point(measurement=measurement, tags={tag: value}, fields={field: text})] * 20)
    for columnar in (True, False):
        parsed = parse_lines(lines, "ns", 0, columnar=columnar)
        assert parsed.bad == ()
        [key] = parsed.points.keys
        assert (key.measurement, key.tags, key.field) == (measurement, ((tag, value),), field)
        assert parsed.points.columns[0].values.to_pylist() == [text] * 20
        assert parsed.points.text == lines


@pytest.mark.parametrize("name", ["a b", "a,b", "a=b", 'a"b', "é🌡", "C:\\dir", "'", "{}", "a\tb", "_field"])
def test_names_that_line_protocol_can_hold_are_taken(name: str) -> None:
    assert quote_measurement(name)
    assert quote_tag("k" + name, name)
    assert quote_field(name)


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.text(max_size=10)
)
def test_values_come_back_exactly(value: float | int | bool | str) -> None:
    try:
        lines = points_to_lines([point(fields={"f": value})])
    except PointsRefused:
        assert isinstance(value, str)
        return
    [column] = parse_lines(lines, "ns", 0).points.columns
    [back] = column.values.to_pylist()
    assert (repr(back), type(back)) == (repr(value), type(value))


def test_format_value_is_by_the_type_asked_for() -> None:
    assert format_value(7, FieldType.UNSIGNED) == b"7u"
    with pytest.raises(Unwritable):
        format_value("7", FieldType.UNSIGNED)


def test_a_whole_number_of_a_body_stays_whole_beyond_64_bits() -> None:
    [big] = read_points(b'[{"measurement": "m", "fields": {"f": 18446744073709551616}}]')
    assert "18446744073709551616 is outside" in reason(big)
    assert list(read_points(b'{"measurement": "m", "fields": {"f": 1}}')) == [{"measurement": "m", "fields": {"f": 1}}]


@pytest.mark.parametrize("body", [b"", b"{", b"7", b'"x"', b"null", b"1" * 5000, b"[" * 100_000 + b"1" * 20])
def test_a_body_without_points_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        list(read_points(body))


@pytest.mark.parametrize(
    "body",
    [
        b"[1",
        b"[1,",
        b"[1 2]",
        b"[1,]",
        b"[,1]",
        b"[]]",
        b"[] x",
        b"{} {}",
        b"[NaN]",
        b"[-Infinity]",
        b"[01]",
        b'["\xff"]',
        b'["a\nb"]',
        b'["\x00"]',
    ],
)
def test_what_is_no_json_is_refused_wherever_it_stands(body: bytes) -> None:
    with pytest.raises(InvalidBody, match=r"The body is no JSON \(.*\)\. Send a list of points"):
        list(read_points(body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_a_list_is_read_member_by_member_as_json_reads_it(
    members: list[object], indent: int | None, ascii_only: bool
) -> None:
    assert list(read_points(json.dumps(members, indent=indent, ensure_ascii=ascii_only).encode())) == members


def test_members_on_the_border_of_two_stretches_are_read_whole() -> None:
    members = [{"name": "é🌡" * (n % 7), "number": 10**n} for n in range(1, 400)] * 20
    body = json.dumps(members, ensure_ascii=False).encode()
    assert len(body) > 4 * 256 * 1024
    assert list(read_points(body)) == members
    assert list(read_points(b"[" + b" " * 1_000_000 + b"12345" + b" " * 1_000_000 + b"]")) == [12345]
    assert list(read_points(b"[" + b"1" * 4000 + b"]")) == [int("1" * 4000)]


def test_a_point_of_more_than_ten_megabytes_is_refused() -> None:
    with pytest.raises(InvalidBody, match="takes more than 10485760 bytes"):
        list(read_points(b'[1, {"a": "' + b"x" * 22_000_000 + b'"}]'))


def test_after_ten_thousand_wrong_points_the_rest_is_not_looked_at() -> None:
    endless = iter(dict, None)
    with pytest.raises(PointsRefused, match=r"At least 10000 points cannot be taken. Point 0: ") as raised:
        points_to_lines(endless)
    assert len(raised.value.extra["points"]) == 100  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"x" * 1_000_000: 1},
        {"measurement": "x\n" + "x" * 1_000_000, "fields": {"f": 1}},
        {"measurement": "m", "tags": {"t" * 1_000_000: 1}, "fields": {"f": 1}},
        {"measurement": "m", "tags": {"time": "x" * 1_000_000, "_field": "y"}, "fields": {"f": 1}},
        {"measurement": "m", "tags": {"k": "x\n" + "x" * 1_000_000}, "fields": {"f": 1}},
        {"measurement": "m", "fields": {"f" * 1_000_000: None}},
        {"measurement": "m", "fields": {"f": 10**4000}},
        {"measurement": "m", "fields": {"f": 1}, "time": "1" * 1_000_000},
    ],
)
def test_a_reason_is_short_however_long_the_names_are(wrong: object) -> None:
    assert len(reason(wrong)) < 500


def test_the_check_of_the_caller_ends_the_work() -> None:
    def leave() -> None:
        raise InvalidBody("left")

    with pytest.raises(InvalidBody, match="left"):
        points_to_lines([point()], check=leave)
