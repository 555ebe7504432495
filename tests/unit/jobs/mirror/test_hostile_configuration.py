"""What an attack on the mirror found.

Each of these once lost a point, called a slice equal that was not, or never ended.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.domain.durations import parse_duration
from service.domain.mirror_slices import Act, SliceRecord, SliceState, comparisons_due, decide
from service.domain.schema import BucketSpec
from service.domain.selection import Selection
from service.domain.series import SeriesKey
from service.domain.slicing import batches
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange
from service.errors import ConfigurationError, InvalidParameter, StoreBusy, StoreLimit
from service.frames.frame import Reading
from service.frames.points import Points
from service.jobs.mirror.registry import mirrors_section, read_file
from service.stores.embedded.store import EmbeddedStore
from service.stores.protocol import UNBOUNDED, WriteBounds, WriteOutcome
from tests.support.mirrors import OWN, A, B, C, KeptContext, Rig, digests, points, side
from tests.support.rows import write
from tests.support.stores import Through, embedded_store

SECOND = 1_000_000_000
HOUR, DAY = parse_duration("1h", "hour"), parse_duration("1d", "day")
NOW = time.time_ns()
TODAY = NOW - NOW % DAY


def store_with_bucket(path: Path, shard: str = "1w") -> EmbeddedStore:
    store = embedded_store(path, shard)
    store.create_bucket(BucketSpec("W"))
    return store


@pytest.fixture
def source(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = store_with_bucket(tmp_path / "a")
    yield store
    store.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = store_with_bucket(tmp_path / "b")
    yield store
    store.close()


@pytest.fixture
def rig(tmp_path: Path, source: EmbeddedStore, target: EmbeddedStore) -> Rig:
    rig = Rig(tmp_path, {A: source, B: target})
    rig.configure(buckets=["W"])
    return rig


@contextmanager
def written_without_end(store: EmbeddedStore, from_ns: int) -> Iterator[None]:
    """Somebody writes points into the slice of `from_ns` meanwhile; the first is there when the block begins."""
    begun, over = threading.Event(), threading.Event()

    def add() -> None:
        number = 0
        while not over.is_set():
            number += 1
            write(store, "W", f"live,h=x v=1 {from_ns + number}")
            begun.set()

    writer = threading.Thread(target=add)
    writer.start()
    try:
        assert begun.wait(20), "the first point is not written"
        yield
    finally:
        over.set()
        writer.join()


def test_a_refused_point_next_to_another_one_of_its_series_is_partial_not_equal(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    rig.configure(buckets=["W"], on_conflict="skip")
    write(target, "W", f"m f=1i {NOW + 5}")
    write(source, "W", f"m f=1.5 {NOW}\nok v=1 {NOW}")
    assert rig.run()["state"] == "partial"


@pytest.mark.parametrize("policy", ["skip", "as_string"])
def test_a_value_of_another_type_at_the_same_time_is_partial_and_not_tried_in_every_run(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore, policy: str
) -> None:
    rig.configure(buckets=["W"], on_conflict=policy)
    write(source, "W", f"m f=1.5 {NOW}")
    write(target, "W", f"m f=1i {NOW}")
    assert rig.run()["state"] == "partial"
    again = rig.pair()
    assert (again["slices"]["partial"], again["copied_slices"]) == (1, 0)


def test_a_value_that_changes_in_a_partial_slice_is_copied_when_its_values_are_due(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    rig.configure(buckets=["W"], on_conflict="skip")
    write(target, "W", f"m f=1i {NOW + 5}")
    write(source, "W", f"m f=1.5 {NOW}\nok v=1 {NOW}")
    rig.run()
    write(source, "W", f"ok v=2 {NOW}")
    rig.clock = lambda: time.time() + 1.01 * 86_400
    assert rig.run()["state"] == "partial"
    [ok] = [name for name in digests(source, "W") if name.measurement == "ok"]
    assert digests(source, "W")[ok] == digests(target, "W")[ok]


def test_a_clash_in_one_shard_group_leaves_out_nothing_in_the_next_ones(tmp_path: Path) -> None:
    source, target = store_with_bucket(tmp_path / "days a", "1d"), store_with_bucket(tmp_path / "days b", "1d")
    rig = Rig(tmp_path, {A: source, B: target})
    rig.configure(buckets=["W"], on_conflict="skip")
    first = TODAY - 9 * DAY
    write(target, "W", f"m f=1i {first + 1}")
    write(
        source,
        "W",
        "\n".join(f"m,h={host} f={host}.5 {first + number * HOUR}" for number in range(9 * 24) for host in range(1000)),
    )
    found = rig.pair()
    assert (found["slices"]["partial"], found["slices"]["equal"]) == (1, 8)
    assert points(target, "W") == 1 + 8 * 24 * 1000


@pytest.mark.parametrize("follow_deletes", [False, True])
def test_points_that_come_meanwhile_do_not_make_a_slice_incomplete(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore, follow_deletes: bool
) -> None:
    rig.configure(buckets=["W"], follow_deletes=follow_deletes)
    write(source, "W", f"m v=1 {TODAY}")
    write(target, "W", f"extra v=1 {TODAY}")
    with written_without_end(source, TODAY):
        state = rig.run()["state"]
    assert state == ("equal" if follow_deletes else "extra")


def test_deletes_are_followed_in_a_slice_that_is_written_to_before_every_look_at_it(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    """Each look saw points that came after the copy, took them for missing, and left the removal to the next run."""
    rig.configure(buckets=["W"], follow_deletes=True)
    write(source, "W", f"m v=1 {TODAY}\nlive,h=x v=1 {TODAY}")
    write(target, "W", f"extra v=1 {TODAY}")
    reads = [0]

    def read(selection: Selection) -> Reading:
        reads[0] += 1
        write(source, "W", f"live,h=x v=1 {TODAY + reads[0]}")
        return source.read(selection)

    rig.stores[A] = Through(source, read=read)  # type: ignore[assignment]
    result = rig.run()
    assert (result["state"], result["pairs"][0]["deleted"]) == ("equal", 1)
    assert "extra" not in {name.measurement for name in digests(target, "W")}


def test_the_first_and_the_last_instant_are_copied(rig: Rig, source: EmbeddedStore, target: EmbeddedStore) -> None:
    write(
        source, "W", "\n".join(f"m v=1 {at_ns}" for at_ns in (EARLIEST_NS, EARLIEST_NS + 1, LATEST_NS - 1, LATEST_NS))
    )
    assert rig.run()["state"] == "equal"
    assert points(target, "W") == 4
    rig.clock = lambda: time.time() + 86_401
    assert rig.pair()["copied_slices"] == 0
    assert rig.run(verify=True)["equal"]


def test_a_stretch_that_is_more_than_a_quota_goes_over_in_several_windows_of_it(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    write(
        source,
        "W",
        "\n".join(f"m,h={host} v=1 {TODAY + number * SECOND}" for number in range(4_000) for host in range(100)),
    )
    now, taken = [0.0], [0, 0]

    class Waits(KeptContext):
        def sleep(self, seconds: float) -> None:
            assert len(self.slept) < 20, "it never ends"
            self.slept.append(seconds)
            now[0] += seconds

    def quota(bucket: str, lines: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        if taken[0] != now[0] // 300:
            taken[:] = [int(now[0] // 300), 0]
        if taken[1] > 100_000:
            raise StoreBusy("The quota is used up.", 300 - now[0] % 300)
        taken[1] += len(lines)
        return target.write(bucket, lines, bounds)

    rig.stores[B] = Through(target, write=quota)  # type: ignore[assignment]
    assert rig.run(Waits())["state"] == "equal"


def test_a_store_that_runs_out_of_memory_is_asked_for_half_as_much_when_comparing_too(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    write(source, "W", "\n".join(f"m v={number} {NOW - number * HOUR}" for number in range(2_400)))

    def small(selection: Selection) -> Reading:
        if selection.span.length_ns > 20 * DAY:
            raise StoreLimit("memory allocation limit reached")
        return source.read(selection)

    rig.stores[A] = Through(source, read=small)  # type: ignore[assignment]
    assert rig.run()["state"] == "equal"
    assert rig.run(verify=True)["equal"]


def test_a_mirror_that_is_given_more_measurements_copies_them_in_its_next_run(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    write(source, "W", f"m1 v=1 {NOW - 100 * DAY}\nm2 v=1 {NOW - 100 * DAY}")
    rig.configure(buckets=["W"], measurements=["m1"])
    rig.run()
    rig.configure(buckets=["W"], measurements=["m1", "m2"])
    rig.run()
    assert points(target, "W") == 2


def test_a_mirror_does_not_delete_what_a_mirror_of_all_buckets_copied(
    rig: Rig, tmp_path: Path, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    other = store_with_bucket(tmp_path / "c")
    rig.stores[C] = other
    write(source, "W", f"m1 v=1 {NOW}")
    rig.configure(buckets="all")
    rig.run()
    rig.configure("second", source=side(C), buckets=["W"], follow_deletes=True)
    with pytest.raises(InvalidParameter, match="both write the bucket 'W'"):
        rig.kind.run({"mirror": "second"}, KeptContext())
    assert points(target, "W") == 1


@pytest.mark.parametrize("text", ['token: "secret', "token: secret: x", "token: @secret", "token: *secret"])
def test_a_file_that_is_no_yaml_is_refused_without_its_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mirrors.yaml"
    path.write_text(f"m:\n  source:\n    {text}\n")
    with pytest.raises(ConfigurationError, match=r"line \d+, column \d+") as refused:
        read_file(path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("wrong", [{"bad": 1}, {"url": "http://user:secret@a.test"}, {"org": ""}])
def test_a_mirror_that_is_refused_does_not_show_its_token(wrong: dict[str, Any]) -> None:
    source = {"url": A, "org": "o", "token": "a-secret", **wrong}
    with pytest.raises(ValidationError) as refused:
        mirrors_section(OWN).model.model_validate({"m": {"source": source}})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("wrong", [{"start": 5, "stop": 6}, {"bucket": ["W"]}, {"dry_run": "false"}, {"again": 1}])
def test_an_order_of_other_types_is_refused(rig: Rig, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        rig.kind.validate({"mirror": "m", **wrong})


def test_scattered_slices_are_cut_into_stretches_without_looking_at_all_of_them_each_time() -> None:
    starts = range(0, 2_000_000_000 * HOUR, 2 * HOUR)
    assert next(batches(starts, iter(lambda: 1, 0), HOUR, 10)) == TimeRange(0, HOUR)


def record(start_ns: int, state: SliceState, at: float, summed: bool = True) -> SliceRecord:
    return SliceRecord(
        start_ns, state, 1, "1", "2" if state is not SliceState.EQUAL else "1", None, 0, at, at if summed else None
    )


def test_a_partial_slice_is_tried_again_only_when_its_values_are_due() -> None:
    known = record(0, SliceState.PARTIAL, 0.0, summed=False)
    assert decide(known, "1", "2", comparison_due=False) is Act.NOTHING
    assert decide(known, "1", "2", comparison_due=True) is Act.COMPARE_VALUES
    assert decide(known, "1", "2", comparison_due=False, again=True) is Act.COPY
    assert decide(known, "2", "2", comparison_due=False) is Act.COMPARE_VALUES
    assert decide(known, "3", "2", comparison_due=False) is Act.COPY


def test_a_backlog_of_old_slices_does_not_keep_those_of_today_from_being_summed(rig: Rig) -> None:
    mirror, now = rig.kind.registry.get("m"), NOW / 1e9
    old = [record(TODAY - (100 + day) * DAY, SliceState.EQUAL, now - 31 * 86_400) for day in range(240)]
    near = record(TODAY, SliceState.EQUAL, now - 2 * 86_400)
    due = comparisons_due(mirror, [*old, near], NOW, now - 3_600)
    assert TODAY in due
    assert len(due) == 11


def test_old_slices_whose_values_are_due_are_looked_at_between_full_counts(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    rig.configure(buckets=["W"], full_count="90d", full_rescan="2d")
    write(source, "W", f"m v=1 {NOW - 100 * DAY}")
    rig.run()
    write(source, "W", f"m v=2 {NOW - 100 * DAY}")
    rig.clock = lambda: time.time() + 3 * 86_400
    rig.run()
    assert digests(source, "W") == digests(target, "W")


def test_a_measurement_that_goes_away_meanwhile_does_no_harm(
    rig: Rig, source: EmbeddedStore, target: EmbeddedStore
) -> None:
    write(source, "W", "\n".join(f"m{number % 3} v={number} {NOW - number * HOUR}" for number in range(100)))
    asked = [0]

    def vanishing(selection: Selection) -> Reading:
        asked[0] += 1
        if asked[0] == 2:
            source.delete_points("W", SeriesKey("m1"), EVER)
        return source.read(selection)

    rig.stores[A] = Through(source, read=vanishing)  # type: ignore[assignment]
    rig.run()
    assert digests(source, "W") == digests(target, "W")
