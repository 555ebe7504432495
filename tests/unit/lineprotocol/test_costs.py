"""What parsing a body may cost.

Few bad lines are kept, it ends early, it gives way to others, and it needs little memory.
The work is counted, not timed: `bench/parsing.py` has the times.
"""

import pytest

from service.errors import BodyTooLarge, InvalidBody
from service.frames.points import ParsedLines
from service.lineprotocol.parser import parse_lines
from tests.support.work import work_on
from tests.support.worst_bodies import LINES

MB = 1_000_000


def parse(body: bytes, **bounds: int) -> ParsedLines:
    return parse_lines(body, "ns", 0, **bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize("columnar", [True, False])
def test_the_first_thousand_bad_lines_are_named_and_all_are_counted(columnar: bool) -> None:
    parsed = parse_lines(b"m f=1 1\nbad\n" * 5_000, "ns", 0, columnar=columnar)
    assert [bad.line for bad in parsed.bad] == list(range(2, 2_002, 2))
    assert (parsed.bad_count, len(parsed.points), parsed.ended_early) == (5_000, 5_000, "")


@pytest.mark.parametrize("columnar", [True, False])
def test_after_ten_thousand_bad_lines_the_rest_is_not_looked_at(columnar: bool) -> None:
    parsed = parse_lines(b"m f=1 1\nbad\n" * 50_000, "ns", 0, columnar=columnar)
    assert (len(parsed.bad), parsed.bad_count, len(parsed.points)) == (1_000, 10_000, 0)
    assert parsed.ended_early == "after 10000 of them the rest was not looked at"


@pytest.mark.parametrize("body", [b"\0", b"\0\n", b" \0 \n", b"\0m f=1 1\n", b"\0#x\n", b"\0" * 100_000])
def test_nul_bytes_before_a_line_are_named_and_not_dropped(body: bytes) -> None:
    [bad] = parse(body).bad
    assert (bad.line, bad.text) == (1, "")
    assert bad.reason.startswith("the line begins with NUL bytes, which InfluxDB drops")


@pytest.mark.parametrize(
    "name", ["many series", "many field names", "alternating shapes", "mixed lines", "comments with quotes"]
)
def test_the_check_of_the_caller_ends_the_parsing_soon(name: str) -> None:
    calls = 0

    def leave() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise InvalidBody("left")

    with pytest.raises(InvalidBody, match="left"):
        parse_lines(LINES[name](5 * MB), "ns", 0, check=leave)


@pytest.mark.parametrize("name", ["many series", "many field names", "alternating shapes"])
def test_points_that_would_take_too_much_memory_are_refused(name: str) -> None:
    with pytest.raises(
        BodyTooLarge,
        match=r"more than the 50000000 bytes of memory that a write may use \(MAX_WRITE_MEMORY_MB\); "
        r"nothing was stored",
    ):
        parse(LINES[name](5 * MB), max_memory_bytes=50 * MB)


def test_ordinary_points_take_at_most_twenty_times_their_text() -> None:
    body = b"".join(
        b"probe,place=p%d celsius=%d.5,volts=%d.25 17%017d\n" % (n % 50, n % 90, n % 7, n) for n in range(20_000)
    )
    assert len(parse(body, max_memory_bytes=20 * len(body)).points) == 20_000


def test_text_that_is_not_ascii_is_looked_at_across_the_borders_of_pieces() -> None:
    line = "m,t=é🌡 f=1 1\n".encode()
    body = line * (6 * MB // len(line))
    assert len(parse(body).points) == len(body) // len(line)
    broken = parse(body + b"m,t=\xf0\x9f f=1 1\n")
    assert (broken.bad_count, broken.bad[0].line) == (1, len(body) // len(line) + 1)


@pytest.mark.parametrize("name", LINES)
def test_twice_as_long_a_body_is_at_most_twice_the_work(name: str) -> None:
    half, whole = (work_on(LINES[name](size), parse) for size in (100_000, 200_000))
    assert whole.steps < 2.2 * half.steps + 1_000
    assert whole.body_bytes < 2.2 * half.body_bytes


def test_a_search_to_the_end_for_every_line_is_more_than_twice_the_work() -> None:
    def search(body: bytes) -> None:
        for start in range(0, len(body), 100):
            body.find(b"no such text", start)

    half, whole = (work_on(b"x" * size, search) for size in (10_000, 20_000))
    assert whole.steps < 2.2 * half.steps
    assert whole.body_bytes > 3.9 * half.body_bytes
