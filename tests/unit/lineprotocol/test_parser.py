"""Line protocol in: what a line means, what is refused and why, and where it stood."""

import struct

import pytest

from service.domain.schema import FieldType
from service.domain.series import FieldSeries, SeriesKey
from service.errors import InvalidParameter
from service.frames.points import ParsedLines
from service.lineprotocol.names import WrittenSeries
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.single_line import read_line

NOW_NS = 1_700_000_000_123_456_789


def parse(text: str | bytes, precision: str = "ns") -> ParsedLines:
    return parse_lines(text.encode() if isinstance(text, str) else text, precision, NOW_NS)


def values(parsed: ParsedLines) -> list[tuple[int, FieldSeries, object]]:
    """(line, key, value) of every value, by line."""
    points = parsed.points
    found = [
        (int(line), points.keys[key], value)
        for column in points.columns
        for line, key, value in zip(column.lines, column.keys, column.values.to_pylist(), strict=True)
    ]
    return sorted(found, key=lambda one: (one[0], one[1].field))


def only_value(text: str) -> object:
    parsed = parse(text)
    assert parsed.bad == ()
    [(_, _, value)] = values(parsed)
    return value


def reason(text: str | bytes, precision: str = "ns") -> str:
    parsed = parse(text, precision)
    assert len(parsed.points) == 0
    [bad] = parsed.bad
    return bad.reason


def test_a_line_gives_its_series_with_sorted_tags_and_its_typed_values() -> None:
    parsed = parse('cpu,rack=r1,host=a load=1.5,n=7i,u=8u,on=t,who="me, \\"too\\"" 42\n')
    tags = (("host", "a"), ("rack", "r1"))
    assert values(parsed) == [
        (0, FieldSeries(SeriesKey("cpu", tags), "load", FieldType.FLOAT), 1.5),
        (0, FieldSeries(SeriesKey("cpu", tags), "n", FieldType.INTEGER), 7),
        (0, FieldSeries(SeriesKey("cpu", tags), "on", FieldType.BOOLEAN), True),
        (0, FieldSeries(SeriesKey("cpu", tags), "u", FieldType.UNSIGNED), 8),
        (0, FieldSeries(SeriesKey("cpu", tags), "who", FieldType.STRING), 'me, "too"'),
    ]
    assert parsed.points.times_ns.tolist() == [42]


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("1", 1.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("1.5e-3", 0.0015),
        ("007", 7.0),
        ("5e-324", 5e-324),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("1e-400", 0.0),
        ("-9223372036854775808i", -(2**63)),
        ("9223372036854775807i", 2**63 - 1),
        ("0u", 0),
        ("18446744073709551615u", 2**64 - 1),
        ("-0i", 0),
        ("t", True),
        ("T", True),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("f", False),
        ("F", False),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ('""', ""),
        ('"a\nb"', "a\nb"),
        ('"C:\\dir"', "C:\\dir"),
        ('"\\\\"', "\\"),
        ('"a\\"b"', 'a"b'),
        ('"a,b=c d"', "a,b=c d"),
        ('"🌡"', "🌡"),
    ],
)
def test_a_value_is_read_exactly(token: str, value: object) -> None:
    read = only_value(f"m f={token} 1")
    assert read == value
    assert type(read) is type(value)


def test_negative_zero_keeps_its_sign() -> None:
    read = only_value("m f=-0.0 1")
    assert isinstance(read, float)
    assert struct.pack(">d", read) == b"\x80\0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("m", "no fields"),
        ("m ", "no fields"),
        (",t=v f=1", "measurement is missing"),
        ("m,t f=1", "'t' has no value"),
        ("m,t= f=1", "'t' has no value"),
        ("m,=v f=1", "has no key"),
        ("m,t=a=b f=1", "without a backslash"),
        ("m,a=1,a=2 f=1", "'a' stands twice"),
        ("m,b=1,a=2,b=3 f=1", "'b' stands twice"),
        ("m,time=x f=1", "'time' cannot be a tag key"),
        ("m,_field=x f=1", "'_field' cannot"),
        ("m,_measurement=x f=1", "'_measurement' cannot"),
        ("m f", "'f' at column 3 has no value"),
        ("m f=", "'f' at column 5 has no value"),
        ("m f=,g=1", "has no value"),
        ("m =1", "name is missing at column 3"),
        ("m f=1,", "name is missing at column 7"),
        ("m f=1,,g=2", "name is missing"),
        ("m f=1.2.3", "'1.2.3': no float"),
        ("m f=1x", "'1x'"),
        ("m f=+1", "'+1'"),
        ("m f=-", "'-'"),
        ("m f=.", "'.'"),
        ("m f=1e", "'1e'"),
        ("m f=0x1F", "'0x1F'"),
        ("m f=1_0", "'1_0'"),
        ("m f=tRUE", "'tRUE'"),
        ("m f=yes", "'yes'"),
        ("m f=NaN", "NaN and infinity"),
        ("m f=-inf", "NaN and infinity"),
        ("m f=1e400", "beyond the range of a 64-bit float"),
        ("m f=9223372036854775808i", "beyond the range of a signed"),
        ("m f=-9223372036854775809i", "beyond the range of a signed"),
        ("m f=18446744073709551616u", "beyond the range of an unsigned"),
        ("m f=-1u", "'-1u'"),
        ('m f="x', "no closing quote"),
        ('m f="x"y', "text after the closing quote"),
        ('m f="x""y"', "text after the closing quote"),
        ("m time=1", "cannot be named time"),
        ("m f=1 x", "'x' at column 7 is no whole number"),
        ("m f=1 1.5", "no whole number"),
        ("m f=1 1 2", "no whole number"),
        ("m f=1 -", "no whole number"),
        ("m f=1 9223372036854775807", "outside 1677-09-21"),
        ("m f=1 -9223372036854775807", "outside 1677-09-21"),
        ("m,t=a\\\nb f=1", "line feed"),
        ("m,t\\\\ x=a f=1", "two ways"),
        ("m f\\\\=1", "two ways"),
    ],
)
def test_a_bad_line_is_refused_with_the_reason(line: str, words: str) -> None:
    assert words in reason(line)


def test_a_time_that_overflows_once_scaled_is_refused() -> None:
    assert "is the precision right?" in reason("m f=1 1700000000000000000", "s")


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    assert reason(b"m,t=\xff f=1 1") == "byte 0xff at column 5 is not UTF-8"
    assert "not UTF-8" in reason(b'm f="\xed\xa0\x80" 1')


def test_keys_and_strings_that_are_too_long_are_refused() -> None:
    longest = "x" * (65_535 - len("m,t=") - 4 - 1)
    assert parse(f"m,t={longest} f=1 1").bad == ()
    assert "65535" in reason(f"m,t={longest}x f=1 1")
    assert parse('m f="' + "x" * 1_048_576 + '" 1').bad == ()
    assert "1048577 bytes" in reason('m f="' + "x" * 1_048_577 + '" 1')


@pytest.mark.parametrize(("precision", "time_ns"), [("ns", 7), ("us", 7_000), ("ms", 7_000_000), ("s", 7_000_000_000)])
def test_times_are_scaled_from_the_precision(precision: str, time_ns: int) -> None:
    parsed = parse("m f=1 7", precision)
    assert parsed.points.times_ns.tolist() == [time_ns]
    assert parsed.points.text == b"m f=1 %d\n" % time_ns


@pytest.mark.parametrize("precision", ["n", "u", "µs", "m", "h", "", "NS"])
def test_another_precision_is_refused(precision: str) -> None:
    with pytest.raises(InvalidParameter, match="none of ns, us, ms, s"):
        parse("m f=1 7", precision)


def test_a_line_without_a_time_gets_now_cut_to_the_precision() -> None:
    assert parse("m f=1").points.times_ns.tolist() == [NOW_NS]
    assert parse("m f=1 ").points.times_ns.tolist() == [NOW_NS]
    assert parse("m f=1", "s").points.times_ns.tolist() == [1_700_000_000_000_000_000]


def test_comments_blank_lines_and_carriage_returns_are_taken_off_and_numbers_kept() -> None:
    parsed = parse('# it\'s a="comment\r\n\r\n  \nm f="a\r\nb" 1\r\n\t# x\n  m f=t\r\nbad\n m g=2i 3')
    assert parsed.points.text == b'm f="a\r\nb" 1\nm f=t %d\nm g=2i 3\n' % NOW_NS
    assert parsed.points.numbers.tolist() == [4, 7, 9]
    assert [(bad.line, bad.text) for bad in parsed.bad] == [(8, "bad")]


def test_the_text_of_each_line_lies_between_its_offsets() -> None:
    points = parse("m  f=1   007  \nm,b=1,a=2 f=2 8").points
    lines = [points.text[start:stop] for start, stop in zip(points.offsets, points.offsets[1:], strict=False)]
    assert lines == [b"m f=1 7\n", b"m,b=1,a=2 f=2 8\n"]


def test_escaped_names_are_read_as_influxdb_reads_them() -> None:
    [(_, key, _)] = values(parse(r"a\ b\,c,t\=k=v\ w\,x\=y\z f\ g\,h\=i\"j=1 1"))
    assert key == FieldSeries(SeriesKey("a b,c", (("t=k", "v w,x=y\\z"),)), 'f g,h=i"j', FieldType.FLOAT)


def test_a_measurement_is_written_so_that_influxdb_finds_it_again() -> None:
    parsed = parse(r"a\=b\"c f=1 1")
    assert parsed.points.keys[0].measurement == 'a=b"c'
    assert parsed.points.text == b'a=b"c f=1 1\n'


def test_lines_of_one_series_share_their_keys_whatever_the_order_of_tags() -> None:
    points = parse("m,a=1,b=2 f=1 1\nm,b=2,a=1 f=2,g=3 2").points
    assert [key.field for key in points.keys] == ["f", "g"]
    assert points.columns[0].keys.tolist() == [0, 0, 1]


def test_all_lines_of_a_series_have_one_object_for_it() -> None:
    known: dict[bytes, WrittenSeries] = {}
    first, second = (read_line(line, 1, known) for line in (b"m,a=1 f=1 1", b"m,a=1 g=2 2"))
    assert first.series is second.series
    assert known[b"m,a=1"].key is first.series


def test_a_field_that_a_line_names_twice_keeps_the_order_of_its_values() -> None:
    [column] = parse("m f=1,f=2 1").points.columns
    assert column.values.to_pylist() == [1.0, 2.0]


def test_the_text_of_a_bad_line_is_cut_to_200_characters() -> None:
    [bad] = parse("x" * 1000).bad
    assert bad.text == "x" * 200


def test_an_empty_body_has_no_points() -> None:
    parsed = parse("")
    assert (len(parsed.points), parsed.points.text, parsed.points.columns, parsed.bad) == (0, b"", (), ())
    assert parsed.points.offsets.tolist() == [0]
