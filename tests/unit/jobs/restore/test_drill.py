"""A drill proves a backup by restoring it, leaves nothing behind, and calls nothing proven that it could not finish."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.archive.destination import StoredFile
from service.domain.job import JobInterrupted
from service.errors import ArchiveUnavailable, BackupDamaged, InvalidParameter, NotFound, StoreUnavailable
from service.frames.points import Points
from service.jobs.backup.proofs import Outcome
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.backup_site import (
    NOW,
    BackupSite,
    SavingContext,
    every_type,
    filled,
    flip,
    run,
    scratch_store,
    slices,
    write,
)
from tests.support.stores import Through


@pytest.fixture
def site(tmp_path: Path) -> BackupSite:
    return filled(BackupSite(tmp_path))


def noted(site: BackupSite, backup_id: str) -> tuple[Outcome, str] | None:
    drill = site.proofs[backup_id].drill
    return None if drill is None else (drill.outcome, drill.detail)


def leftovers(site: BackupSite) -> list[str]:
    return [path.name for path in site.folder.iterdir() if path.name.startswith("drill")]


def test_a_backup_that_is_restored_equal_is_proven(site: BackupSite) -> None:
    write(site.store, "old", every_type(NOW - 10**15))
    site.backup()
    manifest = site.backup(compare_values=True)
    result = site.drill()
    detail = "56 values of 4 buckets were restored and are equal."
    assert result == {"backup": manifest.backup_id, "outcome": "proven", "detail": detail}
    assert noted(site, manifest.backup_id) == (Outcome.PROVEN, detail)
    assert site.proofs[manifest.backup_id].is_proven
    assert leftovers(site) == []
    assert len(site.store.buckets()) == 4


def test_another_one_is_drilled_by_its_id(site: BackupSite) -> None:
    first = site.backup()
    site.backup()
    assert site.drill(backup=first.backup_id)["backup"] == first.backup_id


def test_a_damaged_backup_fails_the_job_and_is_noted(site: BackupSite) -> None:
    manifest = site.backup()
    path = slices(manifest)[0].path
    flip(site.destination, path)
    with pytest.raises(BackupDamaged, match=f"cannot be restored: {path} is damaged"):
        site.drill()
    outcome, detail = noted(site, manifest.backup_id) or (None, "")
    assert outcome is Outcome.FAILED
    assert detail.startswith(path)
    assert leftovers(site) == []


def test_a_store_that_changes_values_is_noticed(site: BackupSite) -> None:
    """The check sees a planted bug: a write that loses every second line."""

    @contextmanager
    def losing(file: Path) -> Iterator[Store]:
        with scratch_store(file) as store:

            def lose(bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
                return WriteOutcome(len(points))

            yield Through(store, write=lose)

    manifest = site.backup()
    context = SavingContext()
    context.sleep = lambda seconds: site.clock.days(seconds / 86_400)  # type: ignore[method-assign]
    with pytest.raises(BackupDamaged, match="Buckets are not equal after the restore"):
        run(site.drilling(open_scratch=losing), context)
    assert (noted(site, manifest.backup_id) or ("",))[0] is Outcome.FAILED


def test_without_room_it_is_inconclusive(site: BackupSite) -> None:
    manifest = site.backup()
    result = run(site.drilling(free_bytes=lambda folder: 100))
    assert result["outcome"] == "inconclusive"
    assert "and 100 are free. Make room there." in result["detail"]
    assert noted(site, manifest.backup_id) == (Outcome.INCONCLUSIVE, result["detail"])
    assert not site.proofs[manifest.backup_id].is_proven


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, timeout=20, check=False).returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    yield disk
    subprocess.run(["umount", str(disk)], timeout=20, check=True)


def test_a_disk_that_fills_up_is_inconclusive(site: BackupSite, small_disk: Path) -> None:
    write(site.store, "large", "".join(f'm f={place / 7},s="{place:0100}" {NOW + place}\n' for place in range(20_000)))
    manifest = site.backup()
    result = run(site.drilling(directory=small_disk, free_bytes=lambda folder: 10**12))
    assert result["outcome"] == "inconclusive"
    assert (noted(site, manifest.backup_id) or ("",))[0] is Outcome.INCONCLUSIVE
    assert list(small_disk.iterdir()) == []


def test_a_scratch_store_that_breaks_is_inconclusive(site: BackupSite) -> None:
    @contextmanager
    def away(file: Path) -> Iterator[Store]:
        raise StoreUnavailable("It is away.")
        yield

    manifest = site.backup()
    assert run(site.drilling(open_scratch=away))["detail"] == "It is away."
    assert noted(site, manifest.backup_id) == (Outcome.INCONCLUSIVE, "It is away.")


def test_a_place_that_is_away_is_inconclusive(site: BackupSite, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = site.backup()

    def away(*path: Any) -> Iterator[StoredFile]:
        raise ArchiveUnavailable("The place is away.")

    monkeypatch.setattr(site.destination, "read", away)
    assert site.drill() == {"backup": None, "outcome": "inconclusive", "detail": "The place is away."}
    assert site.proofs[manifest.backup_id].drill is None


def test_a_passphrase_that_is_gone_is_inconclusive(site: BackupSite) -> None:
    site.passphrase = "of then"
    manifest = site.backup()
    site.passphrase = None
    assert site.drill()["outcome"] == "inconclusive"
    assert (noted(site, manifest.backup_id) or ("",))[0] is Outcome.INCONCLUSIVE


def test_what_a_killed_drill_left_goes_first_and_nothing_stays_of_one_that_ends(site: BackupSite) -> None:
    class Killed(JobInterrupted):
        pass

    def kill() -> None:
        raise Killed

    site.backup()
    old = site.folder / "drill"
    old.mkdir()
    (old / "scratch.duckdb").write_bytes(b"half a file")
    assert site.drill()["outcome"] == "proven"
    context = SavingContext()
    context.check = kill  # type: ignore[method-assign]
    with pytest.raises(Killed):
        site.drill(context)
    assert leftovers(site) == []


def test_what_cannot_be_asked_is_refused(site: BackupSite) -> None:
    with pytest.raises(NotFound, match="There is no complete backup"):
        site.drill()
    with pytest.raises(InvalidParameter):
        site.drill(target="x")


def test_a_drill_that_lost_its_lease_leaves_the_store_of_the_next_one(site: BackupSite) -> None:
    @contextmanager
    def overtaken(file: Path) -> Iterator[Store]:
        (file.parent.parent / "next").mkdir()
        with scratch_store(file) as store:
            yield store

    site.backup()
    assert run(site.drilling(open_scratch=overtaken))["outcome"] == "proven"
    assert [path.name for path in (site.folder / "drill").iterdir()] == ["next"]
