"""A verification finds every damage, notes what it found, and says nothing of files that it could not open."""

from pathlib import Path

import pytest

from service.errors import ArchiveKeyRefused, BackupDamaged, InvalidParameter, NotFound
from service.jobs.backup.proofs import Outcome
from tests.support.backup_site import NOW, BackupSite, SavingContext, every_type, filled, flip, slices, write


@pytest.fixture
def site(tmp_path: Path) -> BackupSite:
    return filled(BackupSite(tmp_path))


def test_a_good_backup_is_intact(site: BackupSite) -> None:
    manifest = site.backup()
    context = SavingContext()
    result = site.verify(context)
    assert result == {"backup": manifest.backup_id, "outcome": "intact", "files": 6, "known_files": 0, "findings": []}
    assert context.progress_calls[-1] == (6, 6, "files")
    verification = site.proofs[manifest.backup_id].verification
    assert verification is not None
    assert (verification.outcome, verification.at) == (Outcome.INTACT, NOW / 1e9)


def test_a_damage_fails_the_job_and_is_noted(site: BackupSite) -> None:
    manifest = site.backup()
    damaged = [slices(manifest)[place].path for place in (1, 3)]
    flip(site.destination, damaged[0])
    site.destination.delete(damaged[1])
    context = SavingContext()
    with pytest.raises(BackupDamaged, match=r"; 2 of the 6 files of the backup 00000001-\S+ are damaged"):
        site.verify(context, backup=manifest.backup_id)
    assert [line.partition(":")[0] for level, line in context.lines if level == "error"] == damaged
    verification = site.proofs[manifest.backup_id].verification
    assert verification is not None
    assert verification.outcome is Outcome.FAILED
    assert verification.detail.startswith(f"{damaged[0]}: ")


def test_a_damage_in_an_older_backup_is_noted_of_both(site: BackupSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.destination, "link", lambda source, path: False)
    first, second = site.backup(), site.backup()
    assert second.references == {first.backup_id}
    flip(site.destination, slices(second)[0].path)
    with pytest.raises(BackupDamaged, match=first.backup_id):
        site.verify()
    outcomes = {backup: proof.verification.outcome for backup, proof in site.proofs.items() if proof.verification}
    assert outcomes == {first.backup_id: Outcome.FAILED, second.backup_id: Outcome.FAILED}


def test_new_only_reads_what_no_verification_read(site: BackupSite) -> None:
    first = site.backup()
    write(site.store, "plant a/b", every_type(NOW - 9 * 86_400 * 10**9))
    second = site.backup()
    flip(site.destination, slices(second)[0].path)  # with its size as it was
    assert site.verify(backup=second.backup_id, new_only=True)["known_files"] == 7
    site.destination.delete(slices(second)[0].path)
    with pytest.raises(BackupDamaged, match="it is not there"):
        site.verify(new_only=True)
    assert site.verify(backup=first.backup_id, new_only=False)["outcome"] == "intact"


def test_a_wrong_passphrase_proves_nothing(site: BackupSite) -> None:
    site.passphrase = "correct horse battery"
    manifest = site.backup()
    before = site.proofs
    site.passphrase = "another one"
    with pytest.raises(ArchiveKeyRefused):
        site.verify()
    assert site.proofs == before
    flip(site.destination, slices(manifest)[0].path)
    with pytest.raises(BackupDamaged, match="1 of the 7 files"):
        site.verify()


def test_a_key_file_that_is_gone_is_a_damage(site: BackupSite) -> None:
    site.passphrase = "correct horse battery"
    manifest = site.backup()
    site.destination.delete(manifest.files[0].path)
    with pytest.raises(BackupDamaged, match="it is not there; 1 of the 7 files"):
        site.verify()


def test_what_cannot_be_asked_is_refused(site: BackupSite) -> None:
    with pytest.raises(NotFound, match="There is no complete backup in"):
        site.verify()
    with pytest.raises(NotFound, match="no id of a backup"):
        site.verify(backup="../x")
    for wrong in ({"backup": 3}, {"new_only": "yes"}, {"other": True}):
        with pytest.raises(InvalidParameter):
            site.verify(**wrong)


def test_latest_passes_over_what_is_not_complete_and_says_so(site: BackupSite) -> None:
    complete = site.backup()
    partial = site.backup(buckets=["plant a/b", "not there"])
    context = SavingContext()
    assert site.verify(context)["backup"] == complete.backup_id
    assert context.lines == [
        (
            "warning",
            f"{partial.backup_id} is newer and partial. It is not taken for the newest complete backup.",
        ),
    ]
    assert site.verify(backup=partial.backup_id)["outcome"] == "intact"
