"""The columnar road reads, refuses and places every line as the exact road does."""

import random
import struct

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.frames.points import ParsedLines
from service.lineprotocol.columnar_parser import scan_chunk
from service.lineprotocol.line_shapes import parse_shape
from service.lineprotocol.parser import parse_lines
from tests.support.work import calls_of, steps_of

NOW_NS = 1_700_000_000_123_456_789

NAMES = st.sampled_from(
    ["m", "cpu", "a\\ b", "a\\,b", "a\\=b", 'a"b', "é", "x\\y", "#c", "time", "a\\\\b", 'a\\"b', "\tm", "", "a=b"]
)
TOKENS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers(-(2**64), 2**64).map(lambda number: f"{number}i"),
    st.integers(-2, 2**65).map(lambda number: f"{number}u"),
    st.sampled_from(
        [
            "t",
            "False",
            "TRUE",
            "tru",
            "-",
            ".",
            "1.",
            ".5",
            "1e400",
            "1e",
            "--1",
            "1i5",
            "0x1i",
            "NaN",
            "",
            "1\\,2",
            "-5e-324",
        ]
    ),
    st.text(alphabet='ab \\,="\n\r#é', max_size=6).map(lambda text: f'"{text}"'),
    st.text(max_size=4).map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
)
TIMES = st.one_of(
    st.integers(-(2**63) - 2, 2**63 + 1).map(str), st.sampled_from(["", "7", "-", "007", "1 ", " 1", "x"])
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n", " \n", "\\\n"])


@st.composite
def lines(draw: st.DrawFn) -> str:
    tags = "".join(f",{key}={draw(NAMES)}" for key in draw(st.lists(NAMES, max_size=2)))
    fields = ",".join(f"{draw(NAMES)}={draw(TOKENS)}" for _ in range(draw(st.integers(1, 2))))
    lead = draw(st.sampled_from(["", "", "", " ", "\t", "# "]))
    return f"{lead}{draw(NAMES)}{tags} {fields} {draw(TIMES)}{draw(ENDS)}"


def facts(parsed: ParsedLines) -> tuple[object, ...]:
    """All that a parse says, without the numbers given to keys, and floats by their bits."""
    points = parsed.points
    columns = [
        (
            column.type,
            column.lines.tolist(),
            [points.keys[key] for key in column.keys],
            [struct.pack(">d", value) if isinstance(value, float) else value for value in column.values.to_pylist()],
        )
        for column in points.columns
    ]
    return (
        points.text,
        points.offsets.tolist(),
        points.numbers.tolist(),
        points.times_ns.tolist(),
        set(points.keys),
        columns,
        parsed.bad,
    )


def agree(body: bytes, precision: str = "ns") -> ParsedLines:
    by_columns = parse_lines(body, precision, NOW_NS, columnar=True)
    assert facts(by_columns) == facts(parse_lines(body, precision, NOW_NS, columnar=False))
    return by_columns


@settings(max_examples=300)
@given(
    st.lists(lines(), min_size=1, max_size=4),
    st.integers(1, 40),
    st.sampled_from(["ns", "ms", "s"]),
    st.randoms(use_true_random=False),
)
def test_both_roads_agree_on_any_mixture_of_lines(
    kinds: list[str], repeats: int, precision: str, order: random.Random
) -> None:
    mixed = kinds * repeats
    order.shuffle(mixed)
    agree("".join(mixed).encode(), precision)


@settings(max_examples=100)
@given(st.lists(TOKENS, min_size=1, max_size=60))
@example(["1.5"] * 40 + ["1e400"])
@example(["7i"] * 40 + ["9223372036854775808i"])
def test_both_roads_agree_on_any_value(tokens: list[str]) -> None:
    agree("".join(f"m,t={number % 3} f={token} {number}\n" for number, token in enumerate(tokens)).encode())


@settings(max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=20, max_size=60), st.integers(1, 40))
def test_long_and_short_decimals_give_the_nearest_float(numbers: list[float], digits: int) -> None:
    body = "".join(f"m f={number!r},g={number:.{digits}e} 1\n" for number in numbers)
    points = agree(body.encode()).points
    expected = [value for number in numbers for value in (number, float(f"{number:.{digits}e}"))]
    if all(abs(value) != float("inf") for value in expected):
        assert points.columns[0].values.equals(pa.array(expected))


def test_plain_lines_around_an_odd_one_keep_their_places() -> None:
    plain = [f'm,t={number % 5} f={number},s="x y" {number}' for number in range(200)]
    odd = [*plain[:100], 'm,t=a"b f="two\nlines",g="\\"" 5', "broken", *plain[100:]]
    parsed = agree("\n".join(odd).encode())
    assert parsed.points.numbers.tolist() == [*range(1, 102), *range(104, 204)]
    assert [bad.line for bad in parsed.bad] == [103]


def test_one_byte_that_is_not_utf8_costs_its_line_alone() -> None:
    parsed = agree(b"m f=1 1\n" * 50 + b'm f="\xff" 1\n' + b"m f=1 1\n" * 50)
    assert len(parsed.points) == 100
    assert [bad.line for bad in parsed.bad] == [51]


def test_a_body_larger_than_a_window_is_read_whole() -> None:
    text = "x" * 700_000
    body = b"".join(
        b'm f=%d,s="%s" %d\n' % (number, text.encode() if number % 7 == 0 else b"", number) for number in range(40)
    )
    assert agree(body).points.times_ns.tolist() == list(range(40))


def test_bad_values_among_good_lines_do_not_make_the_columns_be_searched_for_each_of_them() -> None:
    values = [b"1e400" if n % 50 == 0 else b"--1" if n % 77 == 0 else b"1.5" for n in range(10_000)]
    body = b"".join(b"m,t=%d f=%s %d\n" % (n % 9, value, n) for n, value in enumerate(values))
    looks = calls_of(parse_shape, lambda: by_columns(body))
    assert 10_000 <= sum(len(look["rows"]) for look in looks) < 64 * 10_000
    assert steps_of(lambda: by_columns(body)) < 1.5 * steps_of(lambda: line_by_line(body))


def test_lines_that_columns_cannot_take_are_little_more_work_than_line_by_line() -> None:
    body = b'm,t=a"b f=1 1\n' * 10_000
    windows = calls_of(scan_chunk, lambda: by_columns(body))
    assert 0 < sum(window["stop"] - window["start"] for window in windows) < 8 * len(body)
    assert steps_of(lambda: by_columns(body)) < 1.5 * steps_of(lambda: line_by_line(body))


def by_columns(body: bytes) -> ParsedLines:
    return parse_lines(body, "ns", NOW_NS, columnar=True)


def line_by_line(body: bytes) -> ParsedLines:
    return parse_lines(body, "ns", NOW_NS, columnar=False)


@settings(max_examples=150)
@given(st.randoms(use_true_random=True), st.integers(0, 12))
def test_both_roads_agree_on_plain_lines_with_broken_bytes(dice: random.Random, breaks: int) -> None:
    kinds = [
        'm,a=%d,b=x f=1.5,g=%di,s="x, y=%d" %d\n',
        'm\\ n,a=b\\,%d u=%du,t=true,s="%d" %d\r\n',
        'm,a=%d f=%d,s="a \\"%d\\"\\\\" %d\n',
    ]
    body = bytearray(
        "".join(dice.choice(kinds) % (number % 3, number, number, number) for number in range(60)).encode()
    )
    for _ in range(breaks):
        body[dice.randrange(len(body))] = dice.choice(b'\\\\""", =\n\r#\t\0ie.-1x\xff')
    agree(bytes(body))
