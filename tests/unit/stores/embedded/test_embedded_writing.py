"""What is refused is decided line by line, in the order of the lines; what is stored is sorted and without doubles."""

import numpy as np

from service.domain.schema import Bucket, FieldType
from service.domain.shards import shard_number
from service.stores.embedded.writing import Types, check_batch, rows
from tests.support.embedded_stores import NOON, WEEK_NS, points

BUCKET = Bucket("b", "", 0, WEEK_NS)
SHARD = shard_number(NOON, WEEK_NS)


def verdict(
    lines: str, known: Types | None = None, oldest_ns: int | None = None
) -> tuple[list[bool], list[tuple[int, str]]]:
    found = check_batch(points(lines), BUCKET, known or {}, oldest_ns)
    return found.accepted.tolist(), [(one.line, one.code) for one in found.refusals]


def test_lines_without_conflict_are_all_taken_and_set_the_types() -> None:
    found = check_batch(points(f"m f=1,g=2i {NOON}\nm f=2 {NOON + WEEK_NS}\n"), BUCKET, {}, None)
    assert found.accepted.tolist() == [True, True]
    assert found.refusals == ()
    assert set(found.new_types) == {
        (("m", "f"), SHARD, FieldType.FLOAT),
        (("m", "g"), SHARD, FieldType.INTEGER),
        (("m", "f"), SHARD + 1, FieldType.FLOAT),
    }


def test_the_stored_type_wins() -> None:
    known: Types = {("m", "f"): {SHARD: FieldType.STRING}}
    assert verdict(f"m f=1 {NOON}\nm f=1 {NOON + WEEK_NS}\n", known) == ([False, True], [(1, "type_conflict")])


def test_a_refused_line_sets_no_type() -> None:
    known: Types = {("m", "a"): {SHARD: FieldType.FLOAT}}
    lines = f'm a="x",new=1i {NOON}\nm new=2.0 {NOON + 1}\nm new=3i {NOON + 2}\n'
    assert verdict(lines, known) == ([False, True, False], [(1, "type_conflict"), (3, "type_conflict")])


def test_a_line_before_the_retention_sets_no_type() -> None:
    lines = f"m f=1i {NOON - 2}\nm f=1.5 {NOON}\n"
    assert verdict(lines, oldest_ns=NOON - 1) == ([False, True], [(1, "outside_retention")])


def test_the_oldest_instant_within_the_retention_is_taken() -> None:
    assert verdict(f"m f=1 {NOON}\nm f=1 {NOON - 1}\n", oldest_ns=NOON) == ([True, False], [(2, "outside_retention")])


def test_a_line_that_gives_one_field_two_types_is_refused() -> None:
    assert verdict(f"m f=1,f=2i {NOON}\nm f=2i {NOON + 1}\n") == ([False, True], [(1, "type_conflict")])


def test_the_reason_names_field_types_and_shard_group() -> None:
    [refusal] = check_batch(points(f"m f=1 {NOON}\nm f=t {NOON}\n"), BUCKET, {}, None).refusals
    assert refusal.reason == (
        "Field 'f' of 'm' is boolean here and float in the shard group that begins at 2024-01-01T00:00:00Z; "
        "send it as float."
    )


def test_rows_are_sorted_and_the_last_of_doubles_stays() -> None:
    some = points(f"m,h=b f=1 {NOON + 5}\nm,h=a f=2 {NOON + 9}\nm,h=a f=3 {NOON}\nm,h=a f=4 {NOON + 9}\n")
    series = {("h", "a"): 0, ("h", "b"): 1}
    numbers = np.array([series[key.tags[0]] for key in some.keys], np.int32)
    found = rows(some, some.columns[0], numbers, np.ones(4, np.bool_))
    assert (found.series.tolist(), found.times_ns.tolist(), found.values.to_pylist()) == (
        [0, 0, 1],
        [NOON, NOON + 9, NOON + 5],
        [3.0, 4.0, 1.0],
    )
