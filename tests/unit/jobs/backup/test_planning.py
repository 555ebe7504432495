"""The dry run of a backup: it tells what the backup does, and leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest

from service.domain.job import Json
from service.domain.schema import BucketSpec
from service.errors import InvalidParameter, StoreBroken
from service.jobs.backup.planning import PlanRunnable
from service.stores.embedded.store import EmbeddedStore
from tests.support.backups import BackupRig
from tests.support.embedded_stores import points
from tests.support.mirrors import KeptContext
from tests.support.stores import Through
from tests.unit.jobs.backup.test_runnable import FIRST_NS, fill


def plan(rig: BackupRig, **parameters: Any) -> Json:
    runnable = PlanRunnable(rig.place, rig.store, rig.state, rig.clock)
    runnable.validate(parameters)
    return runnable.run(parameters, KeptContext())


def slices(result: Json) -> dict[str, Json]:
    return {bucket["name"]: {name: n for name, n in bucket["slices"].items() if n} for bucket in result["buckets"]}


def test_the_first_backup_writes_all_and_its_dry_run_nothing(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power", days=3)
    store.create_bucket(BucketSpec("empty bucket", "", 0))
    result = plan(rig)
    assert (slices(result), result["values"], result["missing"]) == ({"Power": {"write": 3}, "empty bucket": {}}, 6, [])
    assert rig.place.listed() == []
    assert not any(Path(rig.place.name).rglob("*.*"))
    assert rig.started == 0


def test_what_a_dry_run_says_is_what_the_backup_then_does(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power")
    rig.run()
    rig.pass_days(1)
    store.write("Power", points(f"m,host=a late=1 {FIRST_NS + 5}"))
    planned = plan(rig)
    [bucket] = planned["buckets"]
    assert bucket["slices"]["write"] == 1
    assert bucket["slices"]["compare"] >= 6  # those of the last week, whose values are compared daily
    assert sum(bucket["slices"].values()) == 40
    done = rig.run()
    assert planned["values"] == done["buckets"][0]["values"] == 81


def test_a_range_and_buckets_that_are_not_there_are_told(rig: BackupRig, store: EmbeddedStore) -> None:
    fill(store, "Power")
    result = plan(rig, buckets=["Power", "nothing"], start="2023-11-23T11:59:59Z", stop="2023-11-25T12:00:00Z")
    assert slices(result) == {"Power": {"write": 2}}
    assert result["missing"] == [{"bucket": "nothing", "reason": "there is no bucket of this name"}]


def test_a_bucket_that_cannot_be_read_is_missing_and_the_others_are_planned(
    rig: BackupRig, store: EmbeddedStore
) -> None:
    fill(store, "Power", days=2)
    fill(store, "broken", days=2)

    def schema(name: str, *rest: Any) -> Any:
        if name == "broken":
            raise InvalidParameter("bucket", "it cannot be read")
        return store.schema(name, *rest)

    rig.store = Through(store, schema=schema)
    result = plan(rig)
    assert slices(result) == {"Power": {"write": 2}}
    assert [part["bucket"] for part in result["missing"]] == ["broken"]


def test_a_store_that_breaks_is_tried_again_later(rig: BackupRig, store: EmbeddedStore) -> None:
    def buckets() -> Any:
        raise StoreBroken("the connection was cut")

    rig.store = Through(store, buckets=buckets)
    with pytest.raises(StoreBroken):
        plan(rig)


def test_a_physical_backup_has_no_dry_run(rig: BackupRig) -> None:
    with pytest.raises(InvalidParameter, match="plans nothing"):
        plan(rig, kind="physical")


def test_with_a_passphrase_what_it_opens_is_taken_over(tmp_path: Path, store: EmbeddedStore) -> None:
    pytest.importorskip("pyrage")
    fill(store, "Power", days=3)
    rig = BackupRig(tmp_path, store, place={"passphrase": "correct horse battery staple"})
    assert slices(plan(rig)) == {"Power": {"write": 3}}
    rig.run()
    assert slices(plan(rig)) == {"Power": {"take_over": 3}}
    other = BackupRig(tmp_path, store, place={"passphrase": "another passphrase that opens nothing"})
    assert slices(plan(other)) == {"Power": {"write": 3}}


def test_dry_runs_run_one_at_a_time_and_beside_a_backup(rig: BackupRig) -> None:
    runnable = PlanRunnable(rig.place, rig.store, rig.state, rig.clock)
    keys = {runnable.exclusion_key(parameters) for parameters in ({}, {"buckets": ["a"]}, {"buckets": ["b"]})}
    assert keys == {"backup_plan"}
