"""Restores whose process is killed twenty times, at every kind of moment: nothing is lost, and nothing is added."""

import signal
from pathlib import Path

import pytest

from service.domain.job import Job, JobState
from service.domain.schema import Bucket
from tests.support.backup_site import DAY_NS, NOW, BackupSite, every_type, slices, write
from tests.support.mirrors import digests
from tests.support.restore_process import POINTS, STORE_FILE, RestoreProcess, ledger_of, order
from tests.support.stores import embedded_store

pytestmark = pytest.mark.timeout(400)
KILLS = 20
BUCKETS = ("plant a/b", "..🚜")
DAYS = 12
RETENTION_NS = 100_000 * DAY_NS


@pytest.fixture
def site(tmp_path: Path) -> BackupSite:
    """A backup of two buckets of twelve days each, and of an empty one."""
    site = BackupSite(tmp_path)
    for bucket in BUCKETS:
        lines = "".join(every_type(NOW - day * DAY_NS + day, day + 1) for day in range(DAYS))
        write(site.store, bucket, lines, description="of then", retention_ns=RETENTION_NS)
    site.backup()
    return site


def killed_over_and_over(site: BackupSite, places: list[str]) -> Job:
    """One job, whose process dies at each of the places in turn; its end."""
    job_id = order(site.folder)
    for place in places:
        assert RestoreProcess(site.folder, place).ended() == -signal.SIGKILL, place
    assert RestoreProcess(site.folder).ended() == 0
    return ledger_of(site.folder).show(job_id)


def must_be_exact(site: BackupSite, job: Job) -> None:
    assert (job.state, job.result and job.result["state"]) == (JobState.SUCCEEDED, "equal")
    target = embedded_store(site.folder / STORE_FILE)
    try:
        for bucket in BUCKETS:
            assert digests(target, bucket) == digests(site.store, bucket)
            assert target.bucket(bucket) == Bucket(bucket, "of then", RETENTION_NS, site.store.bucket(bucket).shard_ns)
    finally:
        target.close()


def test_twenty_kills_lose_nothing_and_add_nothing(site: BackupSite) -> None:
    in_order = ["saved:1", "saving:1", "made:1", "made:1", "read:1", "written:1"]
    while_writing = [
        "saving:1",
        "saved:2",
        "read:3",
        "written:2",
        "written:4",
        "saving:2",
        "read:2",
        "saved:1",
        "written:3",
    ]
    at_the_end = ["updated:1", "updated:2", "ending:1", "updated:1", "ending:1"]
    places = [*in_order, *while_writing, *at_the_end]
    assert len(places) == KILLS
    assert {place.partition(":")[0] for place in places} == set(POINTS)
    job = killed_over_and_over(site, places)
    must_be_exact(site, job)
    assert job.fence == KILLS + 1
    lines = [int(count) for count in (site.folder / "written").read_text().split()]
    once = sum(entry.points for entry in slices(site.place.manifest(site.ids()[0])))
    assert once == 2 * DAYS * 2
    assert sum(lines) <= once + 2 * 2 * 15, "after each kill no more than what was under way is written again"


def test_a_repeated_restore_after_kills_adds_nothing(site: BackupSite) -> None:
    must_be_exact(site, killed_over_and_over(site, ["written:5", "saving:4"]))
    job_id = order(site.folder, merge=True)
    assert RestoreProcess(site.folder, "written:7").ended() == -signal.SIGKILL
    assert RestoreProcess(site.folder).ended() == 0
    must_be_exact(site, ledger_of(site.folder).show(job_id))


def test_a_write_that_is_swallowed_is_seen_by_the_comparison_and_done_again(site: BackupSite) -> None:
    job_id = order(site.folder)
    assert RestoreProcess(site.folder, "saved:6", bug="swallow").ended() == -signal.SIGKILL
    assert RestoreProcess(site.folder).ended() == 0
    job = ledger_of(site.folder).show(job_id)
    must_be_exact(site, job)
    lines = [line.message for line in ledger_of(site.folder).lines(job_id)]
    assert any("slices are not as in the backup; writing them again" in line for line in lines)


def test_that_check_sees_a_point_that_was_added(site: BackupSite) -> None:
    job = killed_over_and_over(site, ["written:2"])
    target = embedded_store(site.folder / STORE_FILE)
    write(target, BUCKETS[0], "m2 f=1i 7\n")
    target.close()
    with pytest.raises(AssertionError):
        must_be_exact(site, job)
