"""Buckets of a store as a source: the selection of a read, in one order, whatever the store can give at once."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.schema import BucketSpec
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter, QueryRefused, StoreLimit, UnknownBucket, UnreadableText
from service.frames.frame import Reading
from service.sources.opening import SourceOpener
from service.sources.rules import SourceRules
from service.sources.store_source import PieceBounds
from service.stores.protocol import Store
from tests.support.rows import at, read, row, span, store_all
from tests.support.sources import DAY, Log, opened, rows_in
from tests.support.stores import Through, embedded_store

MINUTE_NS = 60_000_000_000
HOUR = span("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")
START_NS = DAY.start_ns


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened_store = embedded_store(tmp_path / "store.duckdb")
    for bucket in ("Plant", "Office"):
        opened_store.create_bucket(BucketSpec(bucket))
    yield opened_store
    opened_store.close()


def lines(minutes: int = 4) -> str:
    """Two measurements, two sensors of one of them, and values of three types."""
    return "\n".join(
        f"{series}={value} {START_NS + minute * MINUTE_NS}"
        for minute in range(minutes)
        for series, value in (
            ("boiler,sensor=b celsius", f"{minute}.5"),
            ("boiler,sensor=a celsius", f"{minute}"),
            ("boiler,sensor=a on", "true"),
            ("tank level", f"{minute}i"),
        )
    )


def opener(store: Store) -> SourceOpener:
    return SourceOpener(store, SourceRules())


def rows(store: Store, window: TimeRange = DAY, log: Log | None = None, **members: Any) -> list[Any]:
    with opened(opener(store), {"store": {"bucket": "Plant", **members}}, log) as source:
        source.check()
        return rows_in(source, window)


def test_everything_of_a_bucket_by_measurement_field_tags_and_time(store: Store) -> None:
    store_all(store, "Plant", lines())
    found = rows(store)
    assert sorted(found) == read(store, "Plant", DAY)
    names = [(one.measurement, one.type, one.field, one.tags, one.time_ns) for one in found]
    assert names == sorted(names, key=lambda name: (name[0], name[1] != "bool" and name[1] != "boolean", *name[2:]))
    assert found == rows(store)


def test_the_selection_of_a_read(store: Store) -> None:
    store_all(store, "Plant", lines())
    found = rows(store, measurement="boiler", field=["celsius"], tags={"sensor": "b"})
    assert {(one.measurement, one.field, one.tags) for one in found} == {("boiler", "celsius", (("sensor", "b"),))}
    assert len(found) == 4


def test_half_open_windows(store: Store) -> None:
    store_all(store, "Plant", lines())
    window = TimeRange(START_NS + MINUTE_NS, START_NS + 2 * MINUTE_NS)
    assert {one.time_ns for one in rows(store, window)} == {START_NS + MINUTE_NS}


def test_aggregates_of_whole_windows_by_their_stop(store: Store) -> None:
    store_all(store, "Plant", lines(10))
    window = TimeRange(START_NS + MINUTE_NS, START_NS + 5 * MINUTE_NS + 1)
    found = rows(store, window, measurement="tank", every="2m", fn="sum")
    assert found == [
        row("tank", {}, "level", START_NS + 2 * MINUTE_NS, 1),
        row("tank", {}, "level", START_NS + 4 * MINUTE_NS, 5),
    ]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(-3_600, 3_600), min_size=2, max_size=5, unique=True))
@pytest.mark.parametrize("members", [{}, {"every": "7m", "fn": "count"}, {"every": "10m", "zone": "Asia/Kathmandu"}])
def test_windows_partition_the_rows(store: Store, members: dict[str, Any], cuts: list[int]) -> None:
    store_all(store, "Plant", "\n".join(f"m v={n} {START_NS + (n * 97 - 3_600) * 10**9}" for n in range(75)))
    edges = [START_NS + cut * 10**9 for cut in sorted(cuts)]
    pieces = [rows(store, TimeRange(*piece), **members) for piece in pairwise(edges)]
    assert [one for piece in pieces for one in piece] == rows(store, TimeRange(edges[0], edges[-1]), **members)


def test_the_order_is_the_same_when_the_store_gives_pieces_and_tables_in_another_one(store: Store) -> None:
    store_all(store, "Plant", lines(30))
    expected = rows(store, HOUR)

    def limited(selection: Any) -> Reading:
        """Not more than half an hour at a time, and the last block first."""
        if selection.span.length_ns > 30 * MINUTE_NS:
            raise StoreLimit("too much")
        reading = store.read(selection)
        frames = [frame for block in reading.blocks for frame in block]
        halves = [half for frame in frames for half in (frame.slice(0, 5), frame.slice(5)) if half.num_rows]
        return Reading(reading.plan, iter([tuple(halves[::-1])]), reading.cancel)

    assert rows(Through(store, read=limited), HOUR) == expected  # type: ignore[arg-type]


def test_a_window_larger_than_memory_comes_in_pieces(store: Store) -> None:
    store_all(store, "Plant", lines(30))
    expected = rows(store)
    small = SourceOpener(store, SourceRules(), PieceBounds(rows=20))
    with opened(small, {"store": {"bucket": "Plant"}}) as source:
        assert max(frame.num_rows for frame in source.frames(HOUR)) <= 20
        found = rows_in(source, HOUR)
        assert found == rows_in(source, HOUR)
    assert sorted(found) == sorted(expected)


def test_more_at_one_time_than_fits_is_refused(store: Store) -> None:
    store_all(store, "Plant", "\n".join(f"m,s={n} v=1 {START_NS}" for n in range(50)))
    small = SourceOpener(store, SourceRules(), PieceBounds(rows=5))
    with (
        opened(small, {"store": {"bucket": "Plant"}}) as source,
        pytest.raises(StoreLimit, match="more than 40 values, or 512 MB, at 2026-01-01T00:00:00Z"),
    ):
        rows_in(source, HOUR)


def test_several_buckets_are_told_apart_by_a_tag(store: Store) -> None:
    for bucket in ("Plant", "Office"):
        store_all(store, bucket, f"m,room=1 v=1 {START_NS}")
    assert rows(store, bucket=["Plant", "Office"]) == [
        row("m", {"bucket": bucket, "room": "1"}, "v", START_NS, 1.0) for bucket in ("Plant", "Office")
    ]
    assert rows(store, bucket="Plant", bucket_tag="zzz") == [
        row("m", {"room": "1", "zzz": "Plant"}, "v", START_NS, 1.0)
    ]


def test_a_tag_for_the_bucket_that_is_taken(store: Store) -> None:
    store_all(store, "Plant", f"m,room=1 v=1 {START_NS}")
    with pytest.raises(InvalidParameter, match="has the tag 'room' already") as wrong:
        rows(store, bucket_tag="room")
    assert wrong.value.parameter == "source.store.bucket_tag"
    with (
        opened(opener(store), {"store": {"bucket": "Plant", "bucket_tag": "room"}}) as source,
        pytest.raises(QueryRefused, match="has the tag 'room' already"),
    ):
        list(source.frames(DAY))


def test_unknown_names_are_refused_with_near_ones(store: Store) -> None:
    store_all(store, "Plant", lines())
    with pytest.raises(UnknownBucket, match="Did you mean 'Plant'"):
        rows(store, bucket="Plnat")
    for members, place, near in (
        ({"measurement": "boilr"}, "measurement", "boiler"),
        ({"field": "celsus"}, "field", "celsius"),
        ({"tags": {"sensr": "a"}}, "tags", "sensor"),
    ):
        with pytest.raises(InvalidParameter, match=f"Did you mean '{near}'") as wrong:
            rows(store, **members)
        assert wrong.value.parameter == f"source.store.{place}"


def test_a_value_of_a_tag_that_no_series_has_yet_is_said(store: Store) -> None:
    store_all(store, "Plant", lines())
    log = Log()
    assert rows(store, log=log, tags={"sensor": ["z"]}) == []
    assert log == [("warning", "No series has the tag 'sensor' with 'z' so far.")]


def unreadable(store: Store, name: str) -> Callable[[Any], Reading]:
    """Reads of the measurement `name` fail, as where a text in it is no Unicode."""

    def read_unless_named(selection: Any) -> Reading:
        if not selection.measurements or name in selection.measurements:
            raise UnreadableText("Not UTF-8: the field x.", measurement=name)
        return store.read(selection)

    return read_unless_named


def test_a_measurement_that_cannot_be_read_is_named_and_the_rest_is_read(store: Store) -> None:
    store_all(store, "Plant", lines())
    log = Log()
    found = rows(Through(store, read=unreadable(store, "tank")), log=log)  # type: ignore[arg-type]
    assert {one.measurement for one in found} == {"boiler"}
    assert log == [("error", "The measurement 'tank' of the bucket 'Plant' is LEFT OUT. Not UTF-8: the field x.")]
    with pytest.raises(UnreadableText):
        rows(Through(store, read=unreadable(store, "tank")), measurement=["tank"])  # type: ignore[arg-type]


def test_the_oldest_point_of_the_buckets(store: Store) -> None:
    with opened(opener(store), {"store": {"bucket": ["Plant", "Office"]}}) as source:
        assert source.oldest_ns() is None
        store_all(store, "Office", lines())
        assert source.oldest_ns() == START_NS


def test_a_field_of_two_types_stays_in_order(store: Store) -> None:
    weeks = [at("2025-12-30T00:00:00Z"), at("2026-01-06T00:00:00Z"), at("2026-01-13T00:00:00Z")]
    for time_ns, value in zip(weeks, ("1i", "2.5", "3i"), strict=True):
        store_all(store, "Plant", f"m,s=a v={value},w=1 {time_ns}")
    found = rows(store, span("2025-12-01T00:00:00Z", "2026-02-01T00:00:00Z"))
    assert sorted(found) == read(store, "Plant", span("2025-12-01T00:00:00Z", "2026-02-01T00:00:00Z"))
