"""Pruning removes what no rule keeps, and nothing that anybody still needs."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from service.archive import catalog
from service.archive.manifest import Manifest
from service.archive.retention import Keep
from service.domain.durations import parse_duration
from service.errors import InvalidParameter, NotFound
from service.jobs.backup.proofs import Judgement, Outcome, ProofStore
from service.state.jobs import JobStore
from tests.support.backup_site import BackupSite, every_type, filled, run, write

DAY_NS = parse_duration("1d", "day")


@pytest.fixture
def site(tmp_path: Path) -> BackupSite:
    site = filled(BackupSite(tmp_path))
    site.keep = Keep(last=2)
    return site


def daily(site: BackupSite, count: int, **parameters: object) -> list[Manifest]:
    made = []
    for _ in range(count):
        made.append(site.backup(**parameters))
        site.clock.days(1)
    return made


def prove(site: BackupSite, backup: Manifest) -> None:
    ProofStore(site.state, site.place.name).note_drill(backup.backup_id, Judgement(1.0, Outcome.PROVEN))


def removed(result: dict[str, list[dict[str, str]]]) -> list[str]:
    return [entry["backup"] for entry in result["removed"]]


def test_the_oldest_go_first_and_are_forgotten(site: BackupSite) -> None:
    made = daily(site, 4)
    shown = site.prune(dry_run=True)
    assert len(site.ids()) == 4
    result = site.prune()
    assert removed(shown) == removed(result) == [made[0].backup_id, made[1].backup_id]
    assert site.ids() == [made[3].backup_id, made[2].backup_id]
    assert set(site.proofs) == {made[2].backup_id, made[3].backup_id}
    assert [entry["reason"] for entry in result["kept"]] == [
        "complete backup 1 of the last 2",
        "complete backup 2 of the last 2",
    ]
    assert site.verify()["outcome"] == "intact"


def test_without_a_rule_nothing_goes(site: BackupSite) -> None:
    site.keep = None
    daily(site, 3)
    assert removed(site.prune()) == []


def test_the_last_proven_one_stays(site: BackupSite) -> None:
    made = daily(site, 4)
    prove(site, made[0])
    assert removed(site.prune()) == [made[1].backup_id]


def test_files_that_others_refer_to_stay(site: BackupSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.destination, "link", lambda source, path: False)
    made = daily(site, 4)
    assert removed(site.prune()) == [made[1].backup_id]
    assert site.verify()["outcome"] == "intact"


def test_a_backup_goes_before_the_one_in_which_its_files_lie(site: BackupSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.destination, "link", lambda source, path: False)
    made = daily(site, 2)
    site.passphrase = "from now on encrypted"
    daily(site, 2)
    assert removed(site.prune()) == [made[1].backup_id, made[0].backup_id]


def test_a_forged_backup_of_the_future_stops_everything(site: BackupSite) -> None:
    made = daily(site, 4)
    ahead = int(site.clock() * 1e9) + 400 * DAY_NS
    forged = catalog.begin(site.destination, ahead)
    catalog.finish(
        site.destination, replace(made[0], backup_id=forged, created_ns=ahead, finished_ns=ahead, buckets=(), files=())
    )
    result = site.prune()
    assert removed(result) == []
    assert "in the future" in result["kept"][0]["reason"]


def test_what_jobs_use_stays(site: BackupSite) -> None:
    made = daily(site, 4)
    ledger = JobStore(site.state, time.time)
    ledger.enqueue("restore", {"backup": made[0].backup_id}, None)
    assert removed(site.prune()) == [made[1].backup_id]


def test_a_small_backup_does_not_count_in_place_of_a_whole_one(site: BackupSite) -> None:
    whole = daily(site, 2)
    small = daily(site, 2, buckets=["plant a/b"])
    whole += daily(site, 1)
    assert removed(site.prune()) == [whole[0].backup_id]
    assert small[0].backup_id in site.ids()


def test_backups_from_before_a_bucket_was_added_grow_old_with_the_others(site: BackupSite) -> None:
    made = daily(site, 2)
    write(site.store, "added", every_type(1))
    daily(site, 2)
    assert removed(site.prune()) == [made[0].backup_id, made[1].backup_id]


def test_the_newest_try_stays_until_a_backup_is_complete(site: BackupSite) -> None:
    daily(site, 1)
    failed = catalog.begin(site.destination, int(site.clock() * 1e9))
    assert removed(site.prune()) == []
    daily(site, 1)
    assert removed(site.prune()) == [failed]


def test_it_never_runs_beside_a_backup(site: BackupSite) -> None:
    assert site.pruning().exclusion_key({}) == "backup"


def test_a_backup_is_removed_by_its_id_whatever_the_rules_say(site: BackupSite) -> None:
    made = daily(site, 3)
    site.keep = None
    newest = made[2].backup_id
    assert removed(site.prune(backup=newest, dry_run=True)) == [newest]
    assert newest in site.ids()
    assert removed(site.prune(backup=newest)) == [newest]
    assert site.ids() == [made[1].backup_id, made[0].backup_id]
    assert newest not in site.proofs
    assert site.verify()["outcome"] == "intact"
    with pytest.raises(NotFound, match="There is no backup"):
        site.prune(backup=newest)


def test_a_backup_that_is_needed_is_not_removed(site: BackupSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.destination, "link", lambda source, path: False)
    first, second = daily(site, 2)
    with pytest.raises(InvalidParameter, match=f"take files over from it: {second.backup_id}. Remove those first"):
        site.prune(backup=first.backup_id)
    job, _ = JobStore(site.state, time.time).enqueue("restore", {"backup": second.backup_id}, None)
    with pytest.raises(InvalidParameter, match="a job uses it"):
        site.prune(backup=second.backup_id)
    JobStore(site.state, time.time).cancel(job.id, by="test")
    site.prune(backup=second.backup_id)
    site.prune(backup=first.backup_id, last=True)
    assert site.ids() == []


def test_the_last_of_its_kind_is_removed_only_when_that_is_ordered(site: BackupSite) -> None:
    proven, newest = daily(site, 2)
    [small] = daily(site, 1, buckets=["plant a/b"])
    prove(site, proven)
    for backup, word in ((proven, "proven"), (small, "complete")):
        with pytest.raises(InvalidParameter, match=f"the last {word} backup of what it holds"):
            site.prune(backup=backup.backup_id)
    site.prune(backup=newest.backup_id)
    with pytest.raises(InvalidParameter, match="the last complete backup"):
        site.prune(backup=proven.backup_id, dry_run=True)
    site.prune(backup=proven.backup_id, last=True)
    site.prune(backup=small.backup_id, last=True)
    assert site.ids() == []


def test_a_try_that_failed_is_never_the_last(site: BackupSite) -> None:
    failed = catalog.begin(site.destination, int(site.clock() * 1e9))
    site.prune(backup=failed)
    assert site.ids() == []


@pytest.mark.parametrize(
    "wrong",
    [{"dry_run": 1}, {"keep": 3}, {"backup": 3}, {"last": True}, {"backup": "", "last": True}, {"last": "yes"}],
)
def test_what_cannot_be_asked_is_refused(site: BackupSite, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter):
        run(site.pruning(), None, **wrong)
