"""Every damage of a backup is found, names its file, and hides no other; in older backups through references."""

import gzip
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.archive import catalog
from service.archive.checking import Finding, check_backup, check_file, check_presence, check_slice, check_slices
from service.archive.compression import Packing
from service.archive.destination import Destination
from service.archive.encryption import Decrypter, Encrypter
from service.archive.local_folder import LocalFolder
from service.archive.manifest import BackupKind, Manifest, SliceFile
from service.archive.reuse import sealed_slices, taken_over
from service.domain.timerange import TimeRange
from service.errors import ArchiveError, ArchiveFileExists, ArchiveFileMissing, ArchiveUnavailable
from service.frames.slice_digest import SliceDigest
from service.jobs.backup.previous import PreviousBackup
from tests.support.age_keys import recipient_of
from tests.unit.archive.sample_backups import BOTH_DAYS, DAY_1, DAY_2, made_backup, with_slices
from tests.unit.archive.test_destination import content, put
from tests.unit.archive.test_encryption import IDENTITY, OTHER

ENCRYPTER = Encrypter((recipient_of(IDENTITY),))
DECRYPTER = Decrypter((IDENTITY,))
Damage = Callable[[bytes, random.Random], bytes]


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def zeroed(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) - 16)
    return data[:start] + bytes(16) + data[start + 16 :]


def lengthened(data: bytes, chance: random.Random) -> bytes:
    return data + data[: chance.randrange(1, len(data))]


DAMAGES: dict[str, Damage] = {"flip": flipped, "cut": cut, "zeros": zeroed, "longer": lengthened}


@pytest.mark.parametrize("packing", list(Packing))
def test_a_good_backup_has_no_findings(destination: Destination, packing: Packing) -> None:
    manifest = made_backup(destination, packing=packing)
    looked_at: list[str] = []
    assert list(check_backup(destination, manifest, before=lambda entry: looked_at.append(entry.path))) == []
    assert looked_at == [entry.path for entry in manifest.entries]


@pytest.mark.parametrize("encrypter", [None, ENCRYPTER], ids=["plain", "age"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("seed", range(8))
def test_every_damage_of_any_file_is_found(
    folder: LocalFolder,
    damage: str,
    seed: int,
    encrypter: Encrypter | None,
) -> None:
    manifest = made_backup(folder, encrypter=encrypter)
    chance = random.Random(f"{damage} {seed}")
    entry = manifest.entries[seed % len(manifest.entries)]
    if entry.size < 20:
        entry = manifest.entries[0]
    put(folder, entry.path, DAMAGES[damage](content(folder, entry.path), chance))
    findings = list(check_backup(folder, manifest, DECRYPTER))
    assert [finding.path for finding in findings] == [entry.path]
    assert findings[0].reason
    assert not findings[0].unread


@pytest.mark.parametrize("damage", [*DAMAGES, "missing"])
@pytest.mark.parametrize("seed", range(4))
def test_a_damage_in_an_older_backup_is_found_through_the_reference(
    folder: LocalFolder,
    damage: str,
    seed: int,
) -> None:
    older = made_backup(folder)
    backup = catalog.begin(folder, older.created_ns)
    newer = replace(older, backup_id=backup)
    catalog.finish(folder, newer)
    assert newer.references == {older.backup_id}
    entry = newer.entries[seed]
    if damage == "missing":
        folder.delete(entry.path)
    else:
        put(folder, entry.path, DAMAGES[damage](content(folder, entry.path), random.Random(seed)))
    [finding] = check_backup(folder, catalog.manifest_of_backup(folder, backup))
    assert finding.path == entry.path
    assert finding.path.startswith(older.backup_id)


def test_all_damages_are_found_at_once_and_say_whose_points_they_are(folder: LocalFolder) -> None:
    manifest = made_backup(folder)
    first, second, third, fourth, notes = manifest.entries
    folder.delete(first.path)
    put(folder, second.path, b"")
    put(folder, third.path, content(folder, fourth.path))
    put(folder, notes.path, b"other of the backup")
    assert list(check_backup(folder, manifest)) == [
        Finding(first.path, "plant a/b", "it is not there"),
        Finding(second.path, "plant a/b", f"it has 0 bytes, not {second.size}"),
        *check_slices(folder, "..🚜", manifest.buckets[1].slices),
        Finding(notes.path, "", "its SHA-256 is not the one in the manifest"),
    ]
    assert len(list(check_slices(folder, "..🚜", manifest.buckets[1].slices))) == 1


def test_swapped_files_are_found(folder: LocalFolder) -> None:
    manifest = made_backup(folder)
    first, second = manifest.buckets[0].slices
    contents = content(folder, first.path), content(folder, second.path)
    put(folder, first.path, contents[1])
    put(folder, second.path, contents[0])
    assert {finding.path for finding in check_backup(folder, manifest)} == {first.path, second.path}


def test_a_manifest_of_other_points_is_found(folder: LocalFolder) -> None:
    manifest = made_backup(folder)
    other = with_slices(manifest, lambda entry: replace(entry, digest=replace(entry.digest, values=(1, 1))))
    reasons = [finding.reason for finding in check_backup(folder, other)]
    assert reasons == ["its values have another digest than the manifest says"] * 4


def test_a_file_that_unpacks_to_too_much_is_found(folder: LocalFolder) -> None:
    manifest = made_backup(folder)
    entry = manifest.buckets[0].slices[0]
    bomb = gzip.compress(b"\0" * 100_000_000)
    put(folder, entry.path, bomb)
    forged = replace(entry, size=len(bomb))
    finding = check_slice(folder, forged, "b")
    assert finding is not None
    assert "unpacks to more than" in finding.reason


@pytest.mark.parametrize("identities", [(), (OTHER,)])
def test_without_the_key_files_are_unread_and_damage_of_their_bytes_is_still_found(
    folder: LocalFolder,
    identities: tuple[str, ...],
) -> None:
    manifest = made_backup(folder, encrypter=ENCRYPTER)
    decrypter = Decrypter(identities) if identities else None
    findings = list(check_backup(folder, manifest, decrypter))
    assert [finding.unread for finding in findings] == [True] * 4
    entry = manifest.entries[0]
    put(folder, entry.path, flipped(content(folder, entry.path), random.Random(1)))
    assert [finding.unread for finding in check_backup(folder, manifest, decrypter)] == [False, True, True, True]


def test_presence_is_told_without_reading(folder: LocalFolder) -> None:
    manifest = made_backup(folder)
    entry, other, *_ = manifest.entries
    assert check_presence(folder, entry) is None
    put(folder, entry.path, b"\0" * entry.size)
    assert check_presence(folder, entry) is None
    finding = check_file(folder, entry, "b")
    assert finding == Finding(entry.path, "b", "its SHA-256 is not the one in the manifest")
    folder.delete(other.path)
    assert check_presence(folder, other, "b") == Finding(other.path, "b", "it is not there")


def test_a_link_in_the_place_of_a_file_is_no_finding_but_an_error(tmp_path: Path, folder: LocalFolder) -> None:
    manifest = made_backup(folder)
    place = tmp_path / "backups" / manifest.entries[0].path
    place.unlink()
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArchiveUnavailable, match="symbolic link stands where"):
        list(check_backup(folder, manifest))


def test_what_before_raises_ends_the_check(folder: LocalFolder) -> None:
    manifest = made_backup(folder)

    def stop(entry: object) -> None:
        if entry is manifest.entries[2]:
            raise ArchiveError("stopped")

    with pytest.raises(ArchiveError, match="stopped"):
        list(check_backup(folder, manifest, before=stop))


def reusable(
    previous: Manifest, bucket: str, span: TimeRange, digest: SliceDigest, recipients: tuple[str, ...]
) -> SliceFile | None:
    """The slice of `previous` with exactly these points that a backup for `recipients` may take over."""
    slices = PreviousBackup(previous).slices(bucket, recipients)
    return next((entry for entry in slices if (entry.span, entry.digest) == (span, digest)), None)


def taken(destination: Destination, older: Manifest, backup: str) -> Iterator[SliceFile]:
    for bucket in older.buckets:
        for entry in bucket.slices:
            again = reusable(older, bucket.metadata.name, entry.span, entry.digest, older.recipients)
            assert again == entry
            yield taken_over(destination, again, backup, f"again/{entry.file}")


def test_unchanged_slices_are_taken_over_and_read_from_where_they_lie(destination: Destination) -> None:
    older = made_backup(destination)
    backup = catalog.begin(destination, older.created_ns)
    slices = iter(list(taken(destination, older, backup)))
    newer = with_slices(replace(older, backup_id=backup, files=()), lambda entry: next(slices))
    catalog.finish(destination, newer)
    assert list(check_backup(destination, catalog.manifest_of_backup(destination, backup))) == []
    has_links = isinstance(destination, LocalFolder)
    assert newer.references == (set() if has_links else {older.backup_id})
    if has_links:
        catalog.remove(destination, older.backup_id)
        assert list(check_backup(destination, newer)) == []
        with pytest.raises(ArchiveFileExists):
            taken_over(destination, newer.buckets[0].slices[0], backup, newer.buckets[0].slices[0].file)


def test_a_slice_is_taken_over_only_when_everything_is_the_same(folder: LocalFolder) -> None:
    older = made_backup(folder)
    entry = older.buckets[0].slices[0]
    assert reusable(older, "plant a/b", entry.span, entry.digest, ()) == entry
    assert reusable(older, "other", entry.span, entry.digest, ()) is None
    assert reusable(older, "plant a/b", BOTH_DAYS, entry.digest, ()) is None
    assert reusable(older, "plant a/b", entry.span, entry.digest + entry.digest, ()) is None
    assert reusable(older, "plant a/b", entry.span, entry.digest, ("age1other",)) is None
    encrypted = made_backup(folder, encrypter=ENCRYPTER)
    assert reusable(encrypted, "plant a/b", entry.span, entry.digest, ()) is None
    assert reusable(encrypted, "plant a/b", entry.span, entry.digest, encrypted.recipients) is not None
    mixed = with_slices(encrypted, lambda entry: replace(entry, encrypted=False))
    assert reusable(mixed, "plant a/b", entry.span, entry.digest, encrypted.recipients) is None


def test_sealed_ranges_give_their_slices(folder: LocalFolder) -> None:
    older = made_backup(folder)
    first, second = older.buckets
    sealed = replace(older, buckets=(replace(first, sealed=(DAY_1,)), second))
    assert sealed_slices(sealed, "plant a/b", DAY_1) == first.slices[:1]
    assert sealed_slices(sealed, "plant a/b", TimeRange(DAY_1.start_ns, DAY_1.start_ns + 1)) == ()
    assert sealed_slices(sealed, "plant a/b", DAY_2) == ()
    assert sealed_slices(sealed, "plant a/b", BOTH_DAYS) == ()
    assert sealed_slices(sealed, "..🚜", DAY_1) == ()
    assert sealed.kind is BackupKind.LOGICAL


def test_a_file_that_is_gone_cannot_be_taken_over(destination: Destination) -> None:
    older = made_backup(destination)
    entry = older.buckets[0].slices[0]
    destination.delete(entry.path)
    with pytest.raises(ArchiveFileMissing):
        taken_over(destination, entry, "00000002-20260131T000000Z", entry.file)
