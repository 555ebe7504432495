"""How old the last good backup of each bucket is: ranges, partial backups and other buckets do not count."""

from pathlib import Path

from service.domain.schema import BucketSpec
from service.jobs.backup.ages import BucketAge, bucket_ages
from service.jobs.backup.proofs import Judgement, Outcome
from service.jobs.backup.status import AgeRule, overdue
from service.stores.embedded.store import EmbeddedStore
from tests.support.backups import NOW_S, BackupRig
from tests.support.embedded_stores import points

DAY_NS = 86_400_000_000_000
NOW_NS = int(NOW_S) * 1_000_000_000


def ages(rig: BackupRig) -> dict[str, BucketAge]:
    return {age.bucket: age for age in bucket_ages(rig.place.listed(), rig.runnable.proofs.all())}


def test_the_newest_complete_and_the_newest_proven_one_are_told_apart(rig: BackupRig, store: EmbeddedStore) -> None:
    for name in ("A", "B"):
        store.create_bucket(BucketSpec(name, "", 0))
        store.write(name, points("m f=1 5"))
    first = rig.run()["backup"]
    rig.runnable.proofs.note_drill(first, Judgement(NOW_S, Outcome.PROVEN))
    rig.pass_days(1)
    second = rig.run(buckets=["A"])["backup"]
    assert ages(rig)["A"] == BucketAge("A", NOW_NS + DAY_NS, second, NOW_NS, first)
    assert ages(rig)["B"] == BucketAge("B", NOW_NS, first, NOW_NS, first)


def test_a_range_a_partial_one_and_a_failed_drill_are_no_good_backup(
    rig: BackupRig, store: EmbeddedStore, tmp_path: Path
) -> None:
    store.create_bucket(BucketSpec("A", "", 0))
    store.write("A", points("m f=1 5"))
    rig.run(start="1970-01-01T00:00:00Z")
    assert ages(rig)["A"] == BucketAge("A")
    partial = rig.run(buckets=["A", "gone"])["backup"]
    assert ages(rig)["A"] == BucketAge("A", NOW_NS, partial, None, None)
    rig.runnable.proofs.note_drill(partial, Judgement(NOW_S, Outcome.INCONCLUSIVE, "no room"))
    assert ages(rig)["A"].proven_id is None


def test_damage_that_is_found_later_ends_the_proof(rig: BackupRig, store: EmbeddedStore) -> None:
    store.create_bucket(BucketSpec("A", "", 0))
    store.write("A", points("m f=1 5"))
    backup = rig.run()["backup"]
    proofs = rig.runnable.proofs
    proofs.note_drill(backup, Judgement(NOW_S, Outcome.PROVEN))
    assert ages(rig)["A"].proven_id == backup
    proofs.note_verification(backup, Judgement(NOW_S, Outcome.FAILED, "a file is gone"))
    assert ages(rig)["A"].proven_id is None


def test_a_bucket_is_overdue_when_its_last_complete_backup_is_too_old_or_none_is_there(
    rig: BackupRig, store: EmbeddedStore
) -> None:
    for name in ("A", "B"):
        store.create_bucket(BucketSpec(name, "", 0))
    rig.run(buckets=["A"])
    rule = AgeRule(36)

    def late(hours: float, rule: AgeRule = rule) -> list[str]:
        now_ns = NOW_NS + int(hours * 3_600e9)
        return overdue(list(ages(rig).values()), lambda: ["A", "B"], rule, now_ns)

    assert late(0) == ["B"]
    assert late(36) == ["B"]
    assert late(36.1) == ["A", "B"]
    assert late(36.1, AgeRule(36, ("A",))) == ["A"]
    assert late(1e6, AgeRule(0)) == []


def test_a_drill_that_could_not_be_done_takes_no_proof_away(rig: BackupRig, store: EmbeddedStore) -> None:
    store.create_bucket(BucketSpec("A", "", 0))
    backup = rig.run()["backup"]
    proofs = rig.runnable.proofs
    proofs.note_drill(backup, Judgement(NOW_S, Outcome.PROVEN))
    proofs.note_drill(backup, Judgement(NOW_S + 1, Outcome.INCONCLUSIVE, "wrong passphrase"))
    assert ages(rig)["A"].proven_id == backup
    proofs.note_drill(backup, Judgement(NOW_S + 2, Outcome.FAILED, "a slice differs"))
    assert ages(rig)["A"].proven_id is None
