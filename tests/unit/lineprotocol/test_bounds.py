"""How long a line may be, and what is in it: the bounds to the byte, and what is said beyond them."""

import pytest

from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.frames.points import ParsedLines
from service.lineprotocol.line_ends import line_starts
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.single_line import line_end

MB = 1_000_000
LONGEST = 10 * 1024 * 1024


def parse(body: bytes) -> ParsedLines:
    return parse_lines(body, "ns", 0)


def line_of(length: int) -> bytes:
    """A line of that many bytes: ten long strings, and a short one that fills up."""
    begin = b"m " + b",".join(b'f%d="%b"' % (number, b"x" * MB) for number in range(10)) + b',g="'
    return begin + b"y" * (length - len(begin) - 3) + b'" 1'


@pytest.mark.parametrize("columnar", [True, False])
def test_a_line_of_just_ten_megabytes_is_taken_and_one_byte_more_is_refused(columnar: bool) -> None:
    taken, refused = (
        parse_lines(line_of(LONGEST + more) + b"\nm f=3 3\n", "ns", 0, columnar=columnar) for more in (0, 1)
    )
    assert (taken.bad, taken.points.times_ns.tolist()) == ((), [1, 3])
    assert [(bad.line, bad.reason) for bad in refused.bad] == [(1, "the line is longer than 10485760 bytes")]


def test_a_line_of_just_ten_megabytes_of_blanks_is_a_blank_line() -> None:
    parsed = parse(b" " * LONGEST + b"\nm f=3 3\n")
    assert (parsed.bad, parsed.points.times_ns.tolist()) == ((), [3])


def test_a_line_of_more_than_ten_megabytes_ends_the_parsing_since_its_end_is_not_known() -> None:
    parsed = parse(b"m f=1 1\n" + b'm f="' + b"x" * 11 * MB + b'" 2\nm f=3 3\n')
    assert [(bad.line, bad.reason) for bad in parsed.bad] == [(2, "the line is longer than 10485760 bytes")]
    assert parsed.ended_early == "where it ends cannot be told, so nothing behind line 2 was looked at"
    assert len(parsed.points) == 0


def test_a_line_of_ten_strings_of_the_longest_kind_less_their_names_is_taken() -> None:
    fields = ",".join(f'f{number}="{"x" * 1_000_000}"' for number in range(10))
    assert len(parse(f"m {fields} 1".encode()).points) == 1


@pytest.mark.parametrize(("count", "words"), [(65_536, ""), (65_537, "the line has more than 65536 fields")])
def test_a_line_has_at_most_65536_fields(count: int, words: str) -> None:
    parsed = parse(b"m " + b",".join(b"f%d=1" % number for number in range(count)) + b" 1")
    assert [bad.reason[: len(words)] for bad in parsed.bad] == ([words] if words else [])


@pytest.mark.parametrize(
    ("line", "shown"),
    [("m f=" + "x" * 60, f"'{'x' * 60}':"), ("m f=" + "x" * 61, f"'{'x' * 60}...':")],
)
def test_a_reason_shows_60_letters_of_a_value(line: str, shown: str) -> None:
    [bad] = parse(line.encode()).bad
    assert shown in bad.reason


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (b'm f=1,"g=2 1\nm f=3 2\n', b'm f=1,"g=2 1'),
        (b'm "f=1 1\nm f=2 2\n', b'm "f=1 1'),
        (b'a=b "f=1 1\nm f=2 2\n', b'a=b "f=1 1'),
        (b'm,t="a f=1 1\nm f=2 2\n', b'm,t="a f=1 1'),
        (b'm f="a,b",g="x\ny" 1\nm f=3 2\n', b'm f="a,b",g="x\ny" 1'),
        (b'm f="a=b",g=1 1\nm f="x" 2\n', b'm f="a=b",g=1 1'),
        (b'm f="a\\",b\nc" 1\nm f=3 2\n', b'm f="a\\",b\nc" 1'),
        (b'"m f="x\ny" 1\nm f=3 2\n', b'"m f="x\ny" 1'),
        (b"\\\nm f=1 1\nm f=3 2\n", b"\\\nm f=1 1"),
        (b'# a="x\nm f=3 2\n', b'# a="x'),
        (b'\nm f="x" 1\n', b""),
        (b"m f=1 1", b"m f=1 1"),
        (b'm f="x\ny" 1', b'm f="x\ny" 1'),
    ],
)
def test_a_line_ends_at_the_first_line_feed_outside_a_string(body: bytes, first: bytes) -> None:
    """As `scanLine` does: a quote begins a string only behind an equals sign of a field, without a comma since."""
    assert body[: line_end(body, 0)] == first


def test_the_end_of_a_line_is_looked_for_as_far_as_a_longest_line_with_a_carriage_return() -> None:
    """`line_starts` tells by it whether a line ends there: a line without an end looked like one that has one."""
    longest = b"#" + b"x" * (LONGEST - 1)
    assert line_end(longest + b"\r\n", 0) == LONGEST + 1
    assert line_end(longest + b"xx\n", 0) > LONGEST + 1
    assert line_starts(b'm f="\\' + b"x" * (LONGEST + MB) + b"\nm f=1 1\n").tolist() == [0]


@pytest.mark.parametrize("time_ns", [EARLIEST_NS, LATEST_NS])
def test_the_first_and_the_last_time_are_taken_and_the_next_refused(time_ns: int) -> None:
    assert parse(b"m f=1 %d" % time_ns).points.times_ns.tolist() == [time_ns]
    beyond = time_ns + (1 if time_ns > 0 else -1)
    [bad] = parse(b"m f=1 %d" % beyond).bad
    assert "outside 1677-09-21 to 2262-04-11" in bad.reason
