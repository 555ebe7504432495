"""How little a run asks: how many points each slice has in all, and series by series only what that leaves open."""

from collections.abc import Collection
from typing import Any

import pytest

from service.domain.series import SeriesKey
from service.domain.timerange import EVER, TimeRange
from service.errors import StoreTimeout
from service.frames.frame import Reading
from service.stores.protocol import Store
from tests.support.mirrors import A, B
from tests.support.rows import store_all
from tests.support.stores import Through
from tests.unit.jobs.mirror.conftest import Stage, equal, fill


class Watched(Through):
    """Counts what is read series by series, and how often windows' counts are."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.reads = self.tallies = 0

    def read(self, selection: Any) -> Reading:
        self.reads += 1
        self.tallies += selection.windows is not None
        return self.store.read(selection)


class CannotCount(Watched):
    """As a store with a field of several types."""

    def count_points(self, bucket: str, measurements: Collection[str], span: TimeRange, step_ns: int) -> None:
        return None


class TooSlow(Watched):
    """A store whose one answer takes longer than the silence that is borne, where those of a read come bit by bit."""

    def count_points(self, bucket: str, measurements: Collection[str], span: TimeRange, step_ns: int) -> None:
        raise StoreTimeout("No byte for 60 s.")


def watch(stage: Stage, kind: type[Watched] = Watched) -> tuple[Watched, Watched]:
    source, target = kind(stage.a), kind(stage.b)
    stage.stores[A], stage.stores[B] = source, target  # type: ignore[assignment]
    return source, target


def moved(stage: Stage) -> None:
    """As after a tag was renamed: as many points as before, in another series."""
    store_all(stage.a, "W", f"m,host=old v=1i {stage.at(-2)}")
    stage.pair()
    stage.a.delete_points("W", SeriesKey("m", (("host", "old"),)), EVER)
    store_all(stage.a, "W", f"m,host=new v=1i {stage.at(-2)}")


def test_where_nothing_is_new_no_series_is_read(stage: Stage) -> None:
    fill(stage)
    stage.pair()
    source, target = watch(stage)
    stage.wait(1 / 24)
    assert stage.pair()["copied_points"] == 0
    assert (source.reads, target.reads) == (0, 0)


def test_of_a_slice_that_grew_the_hours_are_looked_at_and_of_no_other(stage: Stage) -> None:
    fill(stage)
    stage.pair()
    store_all(stage.a, "W", f"late v=1i {stage.at(-3, 1)}")
    source, target = watch(stage)
    assert stage.pair()["copied_slices"] == 1
    assert (source.reads, target.reads) == (2, 2), (
        "the hours of both sides, then the points of the source and what the target has of them"
    )
    assert equal(stage)


def test_points_that_moved_to_another_series_are_found_within_a_day(stage: Stage) -> None:
    moved(stage)
    stage.wait(1 / 24)
    assert stage.pair()["copied_points"] == 0
    stage.wait(1)
    found = stage.pair()
    assert (found["copied_points"], found["slices"]["extra"]) == (1, 1)


def test_points_that_moved_are_found_at_once_in_a_range_that_is_named(stage: Stage) -> None:
    moved(stage)
    assert stage.pair(start="2026-05-01T00:00:00Z", stop="2026-06-01T00:00:00Z")["copied_points"] == 1


def test_sides_that_never_were_compared_are_counted_by_series(stage: Stage) -> None:
    store_all(stage.a, "W", f"m,host=a v=1i {stage.at(-2)}")
    store_all(stage.b, "W", f"m,host=b v=1i {stage.at(-2)}")
    found = stage.pair()
    assert (found["copied_points"], found["slices"]["extra"]) == (1, 1)


def test_slices_without_anything_between_them_are_asked_for_together(stage: Stage) -> None:
    """A target that had everything already was asked for each of thousands of slices alone."""
    for store in (stage.a, stage.b):
        store_all(store, "W", "\n".join(f"m v=1i {stage.at(-2 * days)}" for days in range(1, 100)))
    _, target = watch(stage)
    assert stage.pair()["copied_points"] == 0
    assert target.tallies == 1


@pytest.mark.parametrize("kind", [CannotCount, TooSlow])
@pytest.mark.parametrize("wait_days", [0.04, 1.5])
def test_a_store_that_cannot_count_in_all_is_read_by_series(
    stage: Stage, kind: type[Watched], wait_days: float
) -> None:
    watch(stage, kind)
    fill(stage)
    assert stage.run()["state"] == "equal"
    stage.wait(wait_days)
    store_all(stage.a, "W", f"late v=1i {stage.at(-3, 1)}")
    assert stage.pair()["copied_slices"] == 1
    assert equal(stage)
