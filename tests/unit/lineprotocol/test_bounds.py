"""How long a line may be, and what is in it: the bounds to the byte, and what is said beyond them."""

import pytest

from service.frames.points import ParsedLines
from service.lineprotocol.parser import parse_lines

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


def test_a_quote_in_the_name_of_a_field_begins_no_string() -> None:
    """`scanLine` counts equals signs against commas; only behind an open one a quote begins a string."""
    parsed = parse(b'm f=1,"g=2 1\nm f=3 2\n')
    assert (parsed.bad, parsed.points.times_ns.tolist()) == ((), [1, 2])
    assert [key.field for key in parsed.points.keys] == ["f", '"g']
