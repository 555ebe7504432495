"""What a mirror changes in the gateway's own store is told: copies, deletes, new buckets, and nothing else."""

import pytest

from service.domain.schema import BucketSpec
from service.domain.timerange import EVER, TimeRange
from service.stores.observed import BucketChange, ObservedStore
from tests.support.rows import store_all
from tests.unit.jobs.mirror.conftest import Stage


@pytest.fixture
def changes(stage: Stage) -> list[BucketChange]:
    """The changes of `stage.b`, which is the gateway's own store here."""
    heard: list[BucketChange] = []
    stage.stores[None] = ObservedStore(stage.b, [heard.append])
    stage.configure(buckets=["W"], target="store", follow_deletes=True)
    return heard


def test_a_run_that_copies_nothing_tells_nothing(stage: Stage, changes: list[BucketChange]) -> None:
    stage.run()
    assert changes == []


def test_a_copy_is_told_once_with_its_times(stage: Stage, changes: list[BucketChange]) -> None:
    store_all(stage.a, "W", f"m v=1i {stage.at(ns=5)}\nm v=2i {stage.at(ns=9)}")
    stage.run()
    assert changes == [BucketChange("W", (TimeRange(stage.at(ns=5), stage.at(ns=10)),))]
    changes.clear()
    stage.run()
    assert changes == [], "nothing is left to copy"


def test_a_delete_is_told_with_its_times_beside_the_copy(stage: Stage, changes: list[BucketChange]) -> None:
    store_all(stage.a, "W", f"m v=1i {stage.at(ns=5)}\nm v=2i {stage.at(ns=9)}")
    store_all(stage.b, "W", f"m v=1i {stage.at(ns=5)}\nm v=2i {stage.at(ns=9)}\nm,extra=x v=3i {stage.at(ns=7)}")
    stage.run()
    copied, deleted = TimeRange(stage.at(ns=5), stage.at(ns=10)), TimeRange(stage.at(ns=7), stage.at(ns=8))
    assert changes == [BucketChange("W", (copied,)), BucketChange("W", (deleted,))]


def test_a_bucket_that_the_target_lacks_is_told(stage: Stage, changes: list[BucketChange]) -> None:
    stage.a.create_bucket(BucketSpec("V"))
    stage.configure(buckets=["V"], target="store")
    stage.run()
    assert changes == [BucketChange("V", (EVER,))]


def test_a_dry_run_and_a_verification_tell_nothing(stage: Stage, changes: list[BucketChange]) -> None:
    store_all(stage.a, "W", f"m v=1i {stage.at(ns=5)}")
    stage.run(dry_run=True)
    stage.run(verify=True)
    assert changes == []
