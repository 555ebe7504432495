"""A restore refuses what is damaged or partial before it writes anything, and follows files into older backups."""

import pytest

from service.errors import (
    BackupDamaged,
    InvalidParameter,
    NotFound,
)
from tests.support.backup_site import (
    HOSTILE,
    BackupSite,
    SavingContext,
    content,
    flip,
    put,
    slices,
)
from tests.support.restores import TARGET, refused, states


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "swapped"])
def test_a_damaged_file_is_found_before_anything_is_written(site: BackupSite, damage: str) -> None:
    entries = slices(site.backup())
    path = entries[-1].path
    if damage == "flip":
        flip(site.destination, path)
    elif damage == "cut":
        put(site.destination, path, content(site.destination, path)[:-1])
    elif damage == "gone":
        site.destination.delete(path)
    else:
        put(site.destination, path, content(site.destination, entries[0].path))
    refused(
        site,
        BackupDamaged,
        rf"^{path} is damaged: .*; 1 of the 6 files that are needed are damaged, and nothing was written",
    )


def test_a_damage_in_an_older_backup_is_found_too(site: BackupSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.destination, "link", lambda source, path: False)
    first, second = site.backup(), site.backup()
    flip(site.destination, slices(first)[2].path)
    refused(site, BackupDamaged, f"^{first.backup_id}/", backup=second.backup_id)


def test_damages_outside_of_what_is_restored_do_not_matter(site: BackupSite) -> None:
    flip(site.destination, slices(site.backup())[0].path)  # of the other bucket
    assert site.restore(target=TARGET, buckets=[HOSTILE[0]])["state"] == "equal"


def test_skip_damaged_restores_the_rest_and_lists_the_loss(site: BackupSite) -> None:
    damaged = slices(site.backup())[-1]
    flip(site.destination, damaged.path)
    result = site.restore(target=TARGET, skip_damaged=True)
    report = result["buckets"][-1]
    assert (result["state"], report["state"], report["lost_slices"], report["slices"]) == ("partial", "equal", 1, 2)
    assert (report["lost"][0]["file"], report["lost"][0]["points"]) == (damaged.path, 2)


def test_a_wrong_manifest_is_refused(site: BackupSite) -> None:
    manifest = site.backup()
    path = f"{manifest.backup_id}/manifest.json"
    put(site.destination, path, content(site.destination, path).replace(b"plant a/b", b"plant a/c"))
    refused(site, BackupDamaged, "manifest.json is damaged", backup=manifest.backup_id)
    refused(site, NotFound, "There is no complete backup")


def test_a_partial_backup_is_restored_only_by_its_id(site: BackupSite) -> None:
    partial = site.backup(buckets=[HOSTILE[0], "not there"])
    refused(site, NotFound, "There is no complete backup in .* or name a partial one by its id")
    context = SavingContext()
    result = site.restore(context, target=TARGET, backup=partial.backup_id)
    assert (result["backup_state"], states(result)) == ("partial", {HOSTILE[0]: "equal"})
    assert context.lines[0][1].startswith(f"{partial.backup_id} is partial")
    refused(
        site,
        InvalidParameter,
        "The bucket 'not there' is missing in 00000001-.*: there is no bucket of this name",
        backup=partial.backup_id,
        buckets=["not there"],
    )


def test_a_partial_backup_that_is_restored_whole_is_partial_also_where_it_holds_nothing(site: BackupSite) -> None:
    lacking = site.backup(buckets=[HOSTILE[0], "not there"])
    assert site.restore(target=TARGET, backup=lacking.backup_id)["state"] == "partial"
    empty = site.backup(buckets=["not there either"])
    assert site.restore(target=TARGET, backup=empty.backup_id)["state"] == "partial"
