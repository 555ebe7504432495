"""How a write is cut, and what it does with the answers that a healthy InfluxDB seldom gives."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from service.domain.schema import Bucket
from service.errors import StoreBusy, StoreFailed, StoreUnavailable
from service.frames.points import Points
from service.lineprotocol.parser import parse_lines
from service.stores.influx.refusals import reason_of, unquote
from service.stores.influx.writing import BATCH_BYTES, BATCH_LINES, batches, write_points

WEEK_NS = 7 * 86_400_000_000_000
BUCKET = Bucket("b", "", 0, WEEK_NS)
Answer = tuple[int, str]


@dataclass
class FakeReply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self) -> bytes:
        return self.body


class FakeTransport:
    """Answers each write by a function of its lines, and remembers them."""

    org = "org"

    def __init__(self, answer: Callable[[list[bytes]], Answer]) -> None:
        self._answer = answer
        self.sent: list[list[bytes]] = []

    def lines(self, text: bytes) -> tuple[bytes, dict[str, str]]:
        return text, {"Content-Type": "text/plain; charset=utf-8"}

    def send(
        self, method: str, path: str, parameters: Mapping[str, str], body: bytes, headers: Mapping[str, str]
    ) -> FakeReply:
        assert (method, path, parameters) == ("POST", "/api/v2/write", {"org": "org", "bucket": "b", "precision": "ns"})
        self.sent.append(body.splitlines())
        status, message = self._answer(self.sent[-1])
        return FakeReply(status, json.dumps({"code": "x", "message": message}).encode() if message else b"")


def points_of(*lines: str) -> Points:
    return parse_lines("\n".join(lines).encode(), "ns", 0).points


def many(count: int) -> Points:
    return points_of(*[f"m f={number} {number}" for number in range(count)])


def lines_of(points: Points, shard_ns: int) -> list[list[int]]:
    return [batch.tolist() for batch in batches(points, shard_ns)]


def test_a_batch_lies_in_one_shard_group_and_keeps_the_order() -> None:
    monday_ns = 1_699_833_600_000_000_000
    points = points_of(
        f"m f=1 {monday_ns}", f"m f=1 {monday_ns - 1}", f"m f=1 {monday_ns + 5}", f"m f=1 {monday_ns - WEEK_NS}"
    )
    assert lines_of(points, WEEK_NS) == [[1, 3], [0, 2]]


def test_the_ends_of_time_have_their_shard_groups() -> None:
    points = points_of("m f=1 -9223372036854775806", "m f=1 9223372036854775806", "m f=1 0")
    assert lines_of(points, WEEK_NS) == [[0], [2], [1]]


def test_a_batch_is_bounded_in_lines_and_bytes() -> None:
    assert [len(batch) for batch in batches(many(BATCH_LINES + 1), WEEK_NS)] == [BATCH_LINES, 1]
    long = "x" * 900_000
    big = points_of(*[f'm f="{long}" {number}' for number in range(7)])
    assert lines_of(big, WEEK_NS) == [[0, 1, 2, 3, 4], [5, 6]]
    assert BATCH_BYTES == 5_000_000


def test_a_body_that_is_too_large_is_halved() -> None:
    transport = FakeTransport(lambda lines: (413, "") if len(lines) > 2 else (204, ""))
    outcome = write_points(transport, BUCKET, many(8))  # type: ignore[arg-type]
    assert (outcome.stored, outcome.refused) == (8, ())
    assert [len(lines) for lines in transport.sent] == [8, 4, 2, 2, 4, 2, 2]


def test_a_line_refused_for_a_reason_we_do_not_know_is_singled_out() -> None:
    transport = FakeTransport(lambda lines: (422, "shard 7 is upset") if b"m f=5 5" in lines else (204, ""))
    outcome = write_points(transport, BUCKET, many(8))  # type: ignore[arg-type]
    assert outcome.stored == 7
    assert [(one.line, one.code, one.upstream) for one in outcome.refused] == [(6, "refused", "shard 7 is upset")]
    assert outcome.refused[0].reason == "InfluxDB refused this line alone. A key with admin is shown why."


def test_singling_out_ends_at_its_bound() -> None:
    transport = FakeTransport(lambda lines: (422, "no"))
    with pytest.raises(StoreFailed, match="0 of 3000 lines are known to be stored"):
        write_points(transport, BUCKET, many(3000))  # type: ignore[arg-type]
    assert len(transport.sent) == 2001


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (500, "unexpected error writing points to database: timeout", StoreBusy),
        (500, "engine: cache-max-memory-size exceeded: (1/1)", StoreBusy),
        (500, "disk on fire", StoreFailed),
        (503, "starting", StoreUnavailable),
        (429, "slow down", StoreBusy),
    ],
)
def test_a_write_that_breaks_off_says_how_much_was_stored(status: int, message: str, error: type[Exception]) -> None:
    answers = iter([(204, ""), (status, message)])
    transport = FakeTransport(lambda lines: next(answers))
    points = points_of("m f=1 0", f"m f=1 {2 * WEEK_NS}")
    with pytest.raises(error, match="1 of 2 lines are known to be stored; sending all of them again is safe") as raised:
        write_points(transport, BUCKET, points)  # type: ignore[arg-type]
    assert raised.value.extra["stored"] == 1  # type: ignore[attr-defined]


def test_names_in_a_reason_are_read_back_from_go() -> None:
    assert unquote(r'"a\"b\\c\td\x00\u2028\U0010ffff é"') == 'a"b\\c\td\0\u2028\U0010ffff é'


def test_a_reason_that_names_no_line_of_the_batch_covers_none() -> None:
    points = many(3)
    message = 'input field "f" on measurement "m" is type integer, already exists as type float dropped=1'
    found = reason_of(message, points, next(iter(batches(points, WEEK_NS))))
    assert found is not None
    assert found.lines.tolist() == []
