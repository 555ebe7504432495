"""Writes: what the store refuses is named line by line, and everything else is stored."""

import time

import pytest

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.timerange import TimeRange
from service.errors import ClientDisconnected
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import Store, WriteBounds
from tests.support.rows import at, read, row, span, store_all, write

DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
HOUR_NS = parse_duration("1h", "length")


def refused(store: Store, bucket: str, lines: str) -> tuple[int, list[tuple[int, str]]]:
    outcome = write(store, bucket, lines)
    assert all(one.reason for one in outcome.refused)
    return outcome.stored, [(one.line, one.code) for one in outcome.refused]


def test_a_second_type_in_a_shard_group_is_refused_by_its_line(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1.5 {NOON}\n")
    lines = f'm f=2.5 {NOON + 1}\nm f=7i {NOON + 2}\nm f=3.5 {NOON + 3}\nm f="x" {NOON + 4}\nm g=1i {NOON + 5}\n'
    assert refused(store, bucket, lines) == (3, [(2, "type_conflict"), (4, "type_conflict")])
    assert read(store, bucket, DAY) == [
        row("m", {}, "f", NOON, 1.5),
        row("m", {}, "f", NOON + 1, 2.5),
        row("m", {}, "f", NOON + 3, 3.5),
        row("m", {}, "g", NOON + 5, 1),
    ]


def test_the_first_line_of_a_batch_decides_the_type(store: Store, bucket: str) -> None:
    assert refused(store, bucket, f"m f=1.5 {NOON}\nm f=7i {NOON + 1}\n") == (1, [(2, "type_conflict")])
    assert read(store, bucket, DAY) == [row("m", {}, "f", NOON, 1.5)]


def test_types_are_held_for_each_series_set_of_a_measurement_together(store: Store, bucket: str) -> None:
    assert refused(store, bucket, f"m,host=a f=1.5 {NOON}\nm,host=b f=7i {NOON}\nn f=7i {NOON}\n") == (
        2,
        [(2, "type_conflict")],
    )


def test_a_refused_line_stores_nothing_of_itself(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1.5 {NOON}\n")
    assert refused(store, bucket, f"m f=7i,g=1 {NOON + 1}\nm h=2 {NOON + 2}\n") == (1, [(1, "type_conflict")])
    assert read(store, bucket, DAY) == [row("m", {}, "f", NOON, 1.5), row("m", {}, "h", NOON + 2, 2.0)]


def test_another_shard_group_may_take_another_type(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1.5 {NOON}\n")
    assert refused(store, bucket, f"m f=7i {at('2024-01-10T00:00:00Z')}\nm f=7i {NOON + 1}\n") == (
        1,
        [(2, "type_conflict")],
    )


def test_points_outside_the_retention_are_refused_by_their_line(store: Store) -> None:
    name, now = f"Retention {time.time_ns()}", time.time_ns()
    store.create_bucket(BucketSpec(name, "", 24 * HOUR_NS))
    lines = f"m f=1 {now - HOUR_NS}\nm f=2 {now - 48 * HOUR_NS}\nm f=3 {now}\nm f=4 {now - 30 * 24 * HOUR_NS}\n"
    assert refused(store, name, lines) == (2, [(2, "outside_retention"), (4, "outside_retention")])
    assert read(store, name, TimeRange(now - 60 * 24 * HOUR_NS, now + 1)) == [
        row("m", {}, "f", now - HOUR_NS, 1.0),
        row("m", {}, "f", now, 3.0),
    ]


def test_refusals_of_both_kinds_in_many_shards_are_all_named(store: Store) -> None:
    name, now = f"Both {time.time_ns()}", time.time_ns()
    store.create_bucket(BucketSpec(name, "", 60 * 24 * HOUR_NS))
    days = [now - day * 24 * HOUR_NS for day in (1, 15, 29)]
    first = "".join(f"m f=1 {day}\n" for day in days)
    second = "".join(f'm f="x" {day + 1}\nm g=1i {day + 1}\n' for day in days)
    lines = f"m f=1 {now - 90 * 24 * HOUR_NS}\n{first}{second}m f=2 {now}\n"
    stored, named = refused(store, name, lines)
    assert (stored, named) == (
        7,
        [(1, "outside_retention"), (5, "type_conflict"), (7, "type_conflict"), (9, "type_conflict")],
    )


def test_refused_lines_carry_the_number_that_the_caller_sees(store: Store, bucket: str) -> None:
    lines = f"# a comment\n\nm f=1.5 {NOON}\n\nm f=7i {NOON + 1}\n"
    assert refused(store, bucket, lines) == (1, [(5, "type_conflict")])


def test_the_good_lines_of_a_body_with_bad_ones_can_be_stored(store: Store, bucket: str) -> None:
    parsed = parse_lines(f"m f=1 {NOON}\nnonsense\nm f=2i {NOON + 1}\nm g=3 {NOON}\n".encode(), "ns", 0)
    assert [bad.line for bad in parsed.bad] == [2]
    outcome = store.write(bucket, parsed.points)
    assert (outcome.stored, [(one.line, one.code) for one in outcome.refused]) == (2, [(3, "type_conflict")])


def test_the_later_value_of_a_field_that_a_line_names_twice_counts(store: Store, bucket: str) -> None:
    assert write(store, bucket, f"m f=1,f=2 {NOON}\n").stored == 1
    assert read(store, bucket, DAY) == [row("m", {}, "f", NOON, 2.0)]


def test_nothing_written_is_nothing_stored(store: Store, bucket: str) -> None:
    assert refused(store, bucket, "") == (0, [])


def test_as_many_refused_lines_are_named_as_asked_for_and_the_others_counted(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON}")
    points = parse_lines(
        "".join(f"m f={n}i {NOON + n}\nm g={n} {NOON + n}\n" for n in range(1, 8)).encode(), "ns", 0
    ).points
    outcome = store.write(bucket, points, WriteBounds(most_named=3))
    assert [(one.line, one.code) for one in outcome.refused] == [
        (1, "type_conflict"),
        (3, "type_conflict"),
        (5, "type_conflict"),
    ]
    assert (outcome.stored, outcome.unnamed, outcome.refused_count) == (7, 4, 7)


def test_a_write_whose_check_fails_at_once_stores_nothing(store: Store, bucket: str) -> None:
    def leave() -> None:
        raise ClientDisconnected("left")

    with pytest.raises(ClientDisconnected, match="left"):
        store.write(bucket, parse_lines(f"m f=1 {NOON}".encode(), "ns", 0).points, WriteBounds(check=leave))
    assert store.last_point(bucket) is None
