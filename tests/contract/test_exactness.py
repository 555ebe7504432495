"""Raw reads give back what was written: every bit, every character, every nanosecond, every type."""

import pytest

from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.stores.protocol import Store
from tests.support.rows import Value, at, read, row, span, store_all, write

DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
HOSTILE = [
    "a b",
    "a,b",
    "a=b",
    'say "hi"',
    "it's",
    "${1 + 1}",
    "{{x}}",
    "back\\slash",
    "a/b",
    "/.*/",
    "*",
    "'; DROP TABLE points; --",
    "%",
    "naïve",
    "🌡",
    "_value",
    "error",
    "result",
    "table",
    "Time",
    "r",
]


def escaped(name: str) -> str:
    """`name` as a measurement, tag or field name of line protocol."""
    for letter in ",= ":
        name = name.replace(letter, f"\\{letter}")
    return name


@pytest.mark.parametrize(
    ("written", "value", "type"),
    [
        ("-9223372036854775808i", -(2**63), "integer"),
        ("9223372036854775807i", 2**63 - 1, "integer"),
        ("9007199254740993i", 2**53 + 1, "integer"),
        ("0u", 0, "unsigned"),
        ("18446744073709551615u", 2**64 - 1, "unsigned"),
        ("-0.0", -0.0, "float"),
        ("0", 0.0, "float"),
        ("5e-324", 5e-324, "float"),
        ("2.2250738585072011e-308", 2.2250738585072011e-308, "float"),
        ("1.7976931348623157e308", 1.7976931348623157e308, "float"),
        ("1e300", 1e300, "float"),
        ("0.1", 0.1, "float"),
        ("0.30000000000000004", 0.30000000000000004, "float"),
        ("123456789.12345679", 123456789.12345679, "float"),
        ("7", 7.0, "float"),
        ("t", True, "boolean"),
        ("FALSE", False, "boolean"),
        ('""', "", "string"),
        ('" "', " ", "string"),
        ('"say \\"hi\\""', 'say "hi"', "string"),
        ('"back\\\\slash"', "back\\slash", "string"),
        ('"a\nb"', "a\nb", "string"),
        ('"a\r\nb"', "a\r\nb", "string"),
        ('"a\rb"', "a\rb", "string"),
        ('"\n"', "\n", "string"),
        ('"comma, equals = and ${x}"', "comma, equals = and ${x}", "string"),
        ('"7"', "7", "string"),
        ('"NaN"', "NaN", "string"),
        ('"null"', "null", "string"),
        ('"🌡 naïve 漢字"', "🌡 naïve 漢字", "string"),
        ('"tab\tand trailing  "', "tab\tand trailing  ", "string"),
    ],
)
def test_a_value_comes_back_as_it_was(store: Store, bucket: str, written: str, value: Value, type: str) -> None:
    assert write(store, bucket, f"m,host=a f={written} {NOON}").stored == 1
    assert read(store, bucket, DAY) == [row("m", {"host": "a"}, "f", NOON, value, type)]


def test_all_types_in_one_line_come_back_in_one_reading(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm a=1.5,b=2i,c=3u,d="x",e=true {NOON}')
    assert read(store, bucket, DAY) == [
        row("m", {}, "a", NOON, 1.5),
        row("m", {}, "b", NOON, 2),
        row("m", {}, "c", NOON, 3, "unsigned"),
        row("m", {}, "d", NOON, "x"),
        row("m", {}, "e", NOON, True),
    ]


def test_an_empty_string_is_not_an_absent_one(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm s="",n=1i {NOON}\nm n=2i {NOON + 1}\n')
    assert read(store, bucket, DAY) == [
        row("m", {}, "n", NOON, 1),
        row("m", {}, "n", NOON + 1, 2),
        row("m", {}, "s", NOON, ""),
    ]


def test_points_a_nanosecond_apart_stay_apart(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON}\nm f=2 {NOON + 1}\nm f=3 {NOON + 999_999_999}\n")
    assert read(store, bucket, DAY) == [
        row("m", {}, "f", NOON, 1.0),
        row("m", {}, "f", "2024-01-01T12:00:00.000000001Z", 2.0),
        row("m", {}, "f", "2024-01-01T12:00:00.999999999Z", 3.0),
    ]


def test_a_range_holds_its_start_and_not_its_stop(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON - 1}\nm f=2 {NOON}\nm f=3 {NOON + 9}\nm f=4 {NOON + 10}\n")
    assert read(store, bucket, TimeRange(NOON, NOON + 10)) == [
        row("m", {}, "f", NOON, 2.0),
        row("m", {}, "f", NOON + 9, 3.0),
    ]
    assert read(store, bucket, TimeRange(NOON, NOON + 1)) == [row("m", {}, "f", NOON, 2.0)]


def test_points_before_1970_are_read(store: Store, bucket: str) -> None:
    moon = at("1969-07-20T20:17:40.000000001Z")
    store_all(store, bucket, f"m f=1i {moon}\nm f=2i -1\nm f=3i 0\n")
    assert read(store, bucket, span("1969-01-01T00:00:00Z", "1970-01-02T00:00:00Z")) == [
        row("m", {}, "f", moon, 1),
        row("m", {}, "f", -1, 2),
        row("m", {}, "f", 0, 3),
    ]


def test_the_first_and_the_last_instant_are_read(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1i {EARLIEST_NS}\nm f=2i {LATEST_NS}\n")
    assert read(store, bucket, TimeRange(EARLIEST_NS, EARLIEST_NS + 1)) == [row("m", {}, "f", EARLIEST_NS, 1)]
    assert read(store, bucket, TimeRange(LATEST_NS, LATEST_NS + 1)) == [row("m", {}, "f", LATEST_NS, 2)]


def test_a_read_over_all_time_ends_and_is_complete(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1i -1\nm f=2i {NOON}\n")
    assert read(store, bucket, TimeRange(EARLIEST_NS, LATEST_NS + 1)) == [
        row("m", {}, "f", -1, 1),
        row("m", {}, "f", NOON, 2),
    ]


def test_a_field_that_changes_its_type_between_shards_keeps_every_value(store: Store, bucket: str) -> None:
    weeks = [at(f"2024-01-{day:02}T12:00:00Z") for day in (3, 10, 17, 24, 31)]
    values = ["1.5", "7i", "9u", '"text"', "true"]
    store_all(store, bucket, "".join(f"m,host=a f={value} {week}\n" for value, week in zip(values, weeks, strict=True)))
    assert read(store, bucket, span("2024-01-01T00:00:00Z", "2024-02-05T00:00:00Z")) == [
        row("m", {"host": "a"}, "f", weeks[0], 1.5),
        row("m", {"host": "a"}, "f", weeks[1], 7),
        row("m", {"host": "a"}, "f", weeks[2], 9, "unsigned"),
        row("m", {"host": "a"}, "f", weeks[3], "text"),
        row("m", {"host": "a"}, "f", weeks[4], True),
    ]


def test_a_point_written_twice_is_one_and_a_rewritten_one_has_its_last_value(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1,g=1i {NOON}\n")
    store_all(store, bucket, f"m f=1,g=1i {NOON}\n")
    store_all(store, bucket, f"m f=2 {NOON}\nm f=3 {NOON + 1}\nm f=4 {NOON + 1}\n")
    assert read(store, bucket, DAY) == [
        row("m", {}, "f", NOON, 2.0),
        row("m", {}, "f", NOON + 1, 4.0),
        row("m", {}, "g", NOON, 1),
    ]


def test_an_absent_tag_is_not_a_tag(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON}\nm,host=a f=2 {NOON}\nm,host=a,room=b f=3 {NOON}\nn,room=c f=4 {NOON}\n")
    assert read(store, bucket, DAY) == [
        row("m", {}, "f", NOON, 1.0),
        row("m", {"host": "a"}, "f", NOON, 2.0),
        row("m", {"host": "a", "room": "b"}, "f", NOON, 3.0),
        row("n", {"room": "c"}, "f", NOON, 4.0),
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_read_raw(store: Store, bucket: str, name: str) -> None:
    """Measurement, tag key, tag value and field by one name at once."""
    word = escaped(name)
    measurement = name.replace(",", "\\,").replace(" ", "\\ ")
    key = word if name != "_value" else "key"
    store_all(store, bucket, f"{measurement},{key}={word} {word}=1i {NOON}\nother f=2i {NOON}\n")
    expected = row(name, {name if name != "_value" else "key": name}, name, NOON, 1)
    assert read(store, bucket, DAY, measurements=(name,)) == [expected]
    assert read(store, bucket, DAY, fields=(name,)) == [expected]


def test_a_field_and_a_tag_of_one_name_are_kept_apart(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m,x=tag x=1i,y=2i {NOON}\n")
    assert read(store, bucket, DAY) == [row("m", {"x": "tag"}, "x", NOON, 1), row("m", {"x": "tag"}, "y", NOON, 2)]


def test_a_range_without_points_is_an_empty_reading_with_a_plan(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON}\n")
    assert read(store, bucket, span("2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z")) == []
