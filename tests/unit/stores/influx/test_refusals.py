"""Which lines a refusal of InfluxDB covers. The texts are those of InfluxDB 2.9.1."""

import numpy as np
import pytest

from service.domain.schema import FieldType
from service.domain.timerange import parse_time
from service.frames.points import Points
from service.lineprotocol.parser import parse_lines
from service.stores.influx.refusals import Reason, reason_of
from service.stores.protocol import TypeClash

FAILED = "failure writing points to database: partial write: "
BOUND = "2026-11-27T16:27:01.537938715Z"
BOUND_NS = parse_time(BOUND, "bound")
CONFLICT = 'field type conflict: input field "x" on measurement "m" is type integer, already exists as type float'
OUTSIDE = (
    "dropped 2 points outside retention policy of duration 2h0m0s -"
    " oldest point m at 2026-11-27T14:27:01.509074483Z dropped because it violates a Retention Policy Lower Bound"
    f" at {BOUND}, newest point m at 2026-11-27T15:27:01.509074483Z dropped because it violates a Retention Policy"
    f" Lower Bound at {BOUND} dropped=3 for database: e041415b7f49f3af for retention policy: autogen"
)


def points_of(*lines: str) -> Points:
    return parse_lines("\n".join(lines).encode(), "ns", 0).points


def asked(message: str, points: Points, *sent: int) -> Reason | None:
    lines = np.array(sent or range(len(points.times_ns)), np.int64)
    return reason_of(FAILED + message, points, lines)


def covered(message: str, points: Points, *sent: int) -> list[int]:
    reason = asked(message, points, *sent)
    assert reason is not None
    return reason.lines.tolist()


MIXED = points_of(
    "m x=1i 1",
    "m x=1 2",
    "m,t=a x=2i 3",
    "m y=1i 4",
    "n x=1i 5",
    'm x="s" 6',
    "m y=1i,x=3i 7",
    "m x=4i,y=2 8",
    "m x=1u 9",
)


def test_a_conflict_covers_the_lines_with_that_type_of_that_field_of_that_measurement() -> None:
    assert covered(f"{CONFLICT} dropped=4", MIXED) == [0, 2, 6, 7]


def test_a_conflict_covers_only_lines_that_were_sent() -> None:
    assert covered(f"{CONFLICT} dropped=2", MIXED, 1, 2, 3, 6) == [2, 6]


@pytest.mark.parametrize(
    ("sent_type", "lines"),
    [("float", [1]), ("string", [5]), ("unsigned", [8]), ("integer", [0, 2, 6, 7]), ("boolean", [])],
)
def test_the_type_that_was_sent_decides_and_not_the_stored_one(sent_type: str, lines: list[int]) -> None:
    message = f'input field "x" on measurement "m" is type {sent_type}, already exists as type boolean dropped=1'
    assert covered(message, MIXED) == lines


def test_a_conflict_says_what_clashes_and_what_to_do() -> None:
    reason = asked(f"{CONFLICT} dropped=12", MIXED)
    assert reason is not None
    assert (reason.code, reason.counted) == ("type_conflict", 12)
    assert reason.clash == TypeClash("m", "x", FieldType.INTEGER)
    assert reason.text == (
        "The field 'x' of 'm' is float in the store and integer in this line; InfluxDB holds one type of a field in a"
        " shard group. Send it as float, or under another name."
    )


def test_names_with_quotes_and_signs_are_those_of_the_lines() -> None:
    points = points_of("m f=1 1", 'a\\ "b,t=a f\\ "\\=g="s" 2')
    message = (
        r'field type conflict: input field "f \"=g" on measurement "a \"b" is type string,'
        " already exists as type float dropped=1"
    )
    reason = asked(message, points)
    assert reason is not None
    assert reason.lines.tolist() == [1]
    assert reason.clash == TypeClash('a "b', 'f "=g', FieldType.STRING)


def test_retention_covers_the_lines_before_its_bound_and_not_those_at_it() -> None:
    points = points_of(*[f"m f=1 {BOUND_NS + offset}" for offset in (-1, 0, 1, -(3600 * 10**9), -2)])
    assert covered(OUTSIDE, points) == [0, 3, 4]
    assert covered(OUTSIDE, points, 1, 2, 3) == [3]


def test_retention_says_the_bound_and_how_long_the_bucket_keeps() -> None:
    reason = asked(OUTSIDE, points_of(f"m f=1 {BOUND_NS - 1}"))
    assert reason is not None
    assert (reason.code, reason.counted, reason.clash) == ("outside_retention", 2, None)
    assert reason.text == f"The time lies before {BOUND}, and the bucket keeps 2h0m0s."


@pytest.mark.parametrize(
    "message",
    [
        "shard 7 is upset",
        OUTSIDE.replace(BOUND, "yesterday"),
        OUTSIDE.replace("Retention Policy Lower Bound", "Retention Policy Upper Bound"),
        OUTSIDE.replace("dropped 2 points outside", "dropped points outside"),
        CONFLICT,
        f"{CONFLICT} dropped=some",
        f"{CONFLICT} dropped=1 and more",
        f"{CONFLICT.replace('integer', 'geometry')} dropped=1",
    ],
)
def test_a_reason_that_cannot_be_told_covers_no_line(message: str) -> None:
    assert asked(message, MIXED) is None
