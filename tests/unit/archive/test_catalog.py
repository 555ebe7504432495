"""Backups are numbered once, finished last, listed newest first, and never skipped in silence."""

import threading
from dataclasses import replace

import pytest

from service.archive import catalog
from service.archive.catalog import ListedState
from service.archive.checking import check_backup
from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.archive.manifest import BackupKind, BackupState, BucketBackup, Manifest, Missing, OtherFile
from service.errors import ArchiveError, ArchiveFileExists, BackupDamaged, NotFound
from tests.unit.archive.sample_backups import DAY_1, KEY, NOW, bucket_metadata, made_backup, written_slice
from tests.unit.archive.test_destination import content, put


def states(destination: Destination, key: bytes | None = None) -> list[tuple[int, ListedState]]:
    return [(backup.sequence, backup.state) for backup in catalog.listed(destination, key)]


def test_a_new_place_has_no_backups(destination: Destination) -> None:
    assert catalog.listed(destination) == []


def test_the_newest_is_the_one_with_the_highest_number_whatever_the_clock_said(destination: Destination) -> None:
    first = made_backup(destination)
    second = catalog.begin(destination, NOW - 10**18)
    catalog.finish(destination, replace(first, backup_id=second, buckets=(), files=()))
    listed = catalog.listed(destination)
    assert [backup.backup_id for backup in listed] == [second, first.backup_id]
    assert listed[1].manifest == first
    assert catalog.manifest_of_backup(destination, first.backup_id) == first


def test_a_folder_is_no_backup_until_its_manifest_is_written(destination: Destination) -> None:
    backup = catalog.begin(destination, NOW)
    put(destination, f"{backup}/slice", b"points")
    [listed] = catalog.listed(destination)
    assert (listed.state, listed.manifest, listed.reason) == (ListedState.UNFINISHED, None, "it has no manifest")
    with pytest.raises(NotFound, match="no finished backup"):
        catalog.manifest_of_backup(destination, backup)
    catalog.mark_failed(destination, backup, NOW, "the store is away")
    [listed] = catalog.listed(destination)
    assert (listed.state, listed.reason) == (ListedState.FAILED, "the store is away")
    put(destination, f"{backup}/failed.json", b"{")
    assert catalog.listed(destination)[0].reason == f"{backup}/failed.json does not say why"


def test_who_was_killed_while_a_backup_began_goes_on_with_it(destination: Destination) -> None:
    chosen: list[str] = []
    backup = catalog.begin(destination, NOW, "job 1", chosen.append)
    assert chosen == [backup]
    for lost in ([f"{backup}/started.json"], [f"{backup}/started.json", f"claims/{backup[:8]}"], []):
        for path in lost:
            destination.delete(path)
        assert catalog.go_on(destination, backup, NOW, "job 1")
        assert destination.size(f"{backup}/started.json") is not None
        assert [listed.backup_id for listed in catalog.listed(destination)] == [backup]


@pytest.mark.parametrize("owner", ["", "job 2"])
def test_a_number_that_another_took_is_not_gone_on_with(destination: Destination, owner: str) -> None:
    backup = catalog.begin(destination, NOW, owner)
    assert not catalog.go_on(destination, backup, NOW, "job 1")
    assert not catalog.go_on(destination, backup, NOW, "")


def test_a_number_is_chosen_again_when_another_takes_it_first(destination: Destination) -> None:
    chosen: list[str] = []

    def outrun(identity: str) -> None:
        chosen.append(identity)
        if len(chosen) == 1:
            catalog.begin(destination, NOW, "job 2")

    backup = catalog.begin(destination, NOW, "job 1", outrun)
    assert [identity[:8] for identity in chosen] == ["00000001", "00000002"]
    assert backup == chosen[1]


def test_files_that_no_manifest_names_are_removed_before_it_is_written(destination: Destination) -> None:
    first = made_backup(destination)
    backup = catalog.begin(destination, NOW)
    manifest = replace(first, backup_id=backup, buckets=(), files=(OtherFile("kept", backup, 1, "0" * 64),))
    for name in ("kept", "0002-gone/slice", "failed.json"):
        put(destination, f"{backup}/{name}", b"x")
    assert catalog.remove_strays(destination, manifest) == 2
    assert {file.path for file in destination.files(backup)} == {f"{backup}/kept", f"{backup}/started.json"}
    assert {file.path for file in destination.files(first.backup_id)} >= {entry.path for entry in first.entries}


def test_a_partial_backup_is_listed_as_one(destination: Destination) -> None:
    def partial(manifest: Manifest) -> Manifest:
        missing = Missing("other", None, "the token may not read it")
        return replace(manifest, state=BackupState.PARTIAL, missing=(missing,))

    made_backup(destination, change=partial)
    [listed] = catalog.listed(destination)
    assert listed.state is ListedState.PARTIAL
    assert listed.manifest is not None
    assert listed.manifest.missing[0].reason == "the token may not read it"


def test_a_manifest_is_never_replaced(destination: Destination) -> None:
    manifest = made_backup(destination)
    before = content(destination, f"{manifest.backup_id}/manifest.json")
    with pytest.raises(ArchiveFileExists, match="the backup is finished"):
        catalog.finish(destination, replace(manifest, comment="other"))
    assert content(destination, f"{manifest.backup_id}/manifest.json") == before


def test_a_damaged_manifest_is_listed_with_the_reason(destination: Destination) -> None:
    good, bad, moved = (made_backup(destination) for _ in range(3))
    path = f"{bad.backup_id}/manifest.json"
    put(destination, path, content(destination, path)[:-9])
    put(destination, f"{moved.backup_id}/manifest.json", content(destination, f"{good.backup_id}/manifest.json"))
    put(destination, "copy of a backup/manifest.json", content(destination, f"{good.backup_id}/manifest.json"))
    put(destination, "something else/file", b"x")
    listed = catalog.listed(destination)
    assert [backup.state for backup in listed] == [
        ListedState.DAMAGED,
        ListedState.DAMAGED,
        ListedState.COMPLETE,
        ListedState.DAMAGED,
    ]
    assert "is the manifest of another backup" in listed[0].reason
    assert "no JSON, or was cut" in listed[1].reason
    assert "its folder has not the name of a backup" in listed[3].reason
    with pytest.raises(BackupDamaged):
        catalog.manifest_of_backup(destination, bad.backup_id)


def test_with_a_key_what_is_not_signed_is_damaged(folder: LocalFolder) -> None:
    made_backup(folder, key=KEY)
    made_backup(folder)
    assert states(folder, KEY) == [(2, ListedState.DAMAGED), (1, ListedState.COMPLETE)]
    assert states(folder) == [(2, ListedState.COMPLETE), (1, ListedState.COMPLETE)]


def test_a_number_is_never_given_again(destination: Destination) -> None:
    first = catalog.begin(destination, NOW)
    second = catalog.begin(destination, NOW)
    assert (first[:8], second[:8]) == ("00000001", "00000002")
    catalog.remove(destination, second)
    assert catalog.begin(destination, NOW)[:8] == "00000003"
    put(destination, "00000041-20200101T000000Z/copied", b"x")
    assert catalog.begin(destination, NOW)[:8] == "00000042"


def test_many_may_begin_at_one_time(destination: Destination) -> None:
    begun: list[str] = []
    threads = [threading.Thread(target=lambda: begun.append(catalog.begin(destination, NOW))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(backup[:8] for backup in begun) == [f"{number:08d}" for number in range(1, 7)]


def test_numbers_end(folder: LocalFolder) -> None:
    folder.write_new("claims/99999999", b"")
    folder.write_new("claims/x", b"no number")
    with pytest.raises(ArchiveError, match="no sequence number left"):
        catalog.begin(folder, NOW)


def test_a_removed_backup_is_gone_with_all_its_files(destination: Destination) -> None:
    kept, gone = made_backup(destination), made_backup(destination)
    assert catalog.remove(destination, gone.backup_id) == 7
    assert states(destination) == [(1, ListedState.COMPLETE)]
    assert list(destination.files(gone.backup_id)) == []
    assert catalog.manifest_of_backup(destination, kept.backup_id) == kept
    assert catalog.remove(destination, gone.backup_id) == 0


@pytest.mark.parametrize("name", ["..", "", "claims", "/etc", "00000001-20260131T000000Z/..", "x"])
def test_only_ids_name_backups(folder: LocalFolder, name: str) -> None:
    made_backup(folder)
    with pytest.raises(NotFound, match="is no id of a backup"):
        catalog.manifest_of_backup(folder, name)
    with pytest.raises(NotFound, match="is no id of a backup"):
        catalog.remove(folder, name)
    assert states(folder) == [(1, ListedState.COMPLETE)]
    with pytest.raises(NotFound, match="no finished backup"):
        catalog.manifest_of_backup(folder, "00000009-20260131T000000Z")


@pytest.mark.parametrize("name", ["..", "a/b", ".hidden", 'say "hi"', "🚜", "x" * 300, "ä" * 300, "CON", "a\\b", "%2E"])
def test_a_bucket_of_any_name_is_backed_up_and_found_again(destination: Destination, name: str) -> None:
    backup = catalog.begin(destination, NOW)
    entry = written_slice(destination, backup, 1, name, DAY_1)
    bucket = BucketBackup(bucket_metadata(name), DAY_1, (entry,))
    template = Manifest(
        backup_id=backup,
        kind=BackupKind.LOGICAL,
        state=BackupState.COMPLETE,
        tool_version="0.1.0",
        server="embedded",
        created_ns=NOW,
        finished_ns=NOW,
        buckets=(bucket,),
    )
    catalog.finish(destination, template)
    [listed] = catalog.listed(destination)
    assert listed.manifest is not None
    assert [bucket.metadata.name for bucket in listed.manifest.buckets] == [name]
    assert list(check_backup(destination, listed.manifest)) == []
    assert destination.folders() == [backup, "claims"]
