"""A backup from elsewhere comes in whole or not at all, and never in place of this gateway's own."""

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.archive import catalog
from service.archive.backup_tar import BackupTar
from service.archive.catalog import ListedState
from service.archive.local_folder import LocalFolder
from service.archive.manifest_file import manifest_bytes
from service.archive.retention import Keep
from service.errors import ArchiveFileExists, InvalidBody
from service.jobs.backup.proofs import ProofStore
from service.jobs.backup.uploading import BackupUploads
from tests.support.backup_site import BackupSite, content, filled, write


class Unlinked(LocalFolder):
    """A place without hard links, as object storage is: a later backup refers to files of the one before."""

    def link(self, source: str, path: str) -> bool:
        return False


Entries = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def source(tmp_path: Path) -> BackupSite:
    (tmp_path / "a").mkdir()
    site = filled(BackupSite(tmp_path / "a", Unlinked(tmp_path / "a" / "backups")))
    site.backup()
    site.clock.days(1)
    write(site.store, "A", "m f=1 1000")
    assert site.backup().references == {site.ids()[1]}
    return site


@pytest.fixture
def target(tmp_path: Path) -> BackupSite:
    (tmp_path / "b").mkdir()
    return BackupSite(tmp_path / "b")


def tar_of(site: BackupSite) -> bytes:
    """Of the newest backup."""
    return b"".join(BackupTar(site.place.manifest(site.ids()[0])).pieces(site.destination))


def upload(site: BackupSite, data: bytes, most_bytes: int = 10**9, **options: bool) -> str:
    uploads = BackupUploads(site.place, ProofStore(site.state, site.place.name), site.clock, most_bytes)
    return uploads.receive(in_pieces(data), **options).backup_id


def in_pieces(data: bytes, size: int = 777) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def changed(data: bytes, change: Callable[[Entries], Entries], format: int = tarfile.PAX_FORMAT) -> bytes:
    """The tar with other entries."""
    with tarfile.open(fileobj=io.BytesIO(data)) as old:
        entries = [(member, file.read()) for member in old if (file := old.extractfile(member)) is not None]
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:", format=format) as new:
        for member, body in change(entries):
            member.size = len(body) if member.isreg() else 0
            new.addfile(member, io.BytesIO(body))
    return written.getvalue()


def named(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_what_comes_is_restored_to_equal_points(source: BackupSite, target: BackupSite) -> None:
    identity = upload(target, tar_of(source))
    assert identity == source.ids()[0]
    assert target.verify(backup=identity)["outcome"] == "intact"
    result = target.restore(backup=identity)
    assert result["state"] == "equal"
    again = BackupTar(target.place.manifest(identity))
    assert b"".join(again.pieces(target.destination)) == tar_of(source)


def test_a_number_that_is_taken_gives_it_a_new_id(source: BackupSite, target: BackupSite) -> None:
    write(target.store, "own", "m f=1 1000")
    for _ in range(2):
        target.clock.days(0.3)
        target.backup()
    identity = upload(target, tar_of(source))
    assert identity.startswith("00000003-")
    manifest = target.place.manifest(identity)
    assert manifest.references == frozenset() and manifest.backup_id == identity
    assert target.verify(backup=identity)["outcome"] == "intact"


def test_a_backup_that_is_here_is_refused_and_stays(source: BackupSite, target: BackupSite) -> None:
    data = tar_of(source)
    identity = upload(target, data)
    with pytest.raises(ArchiveFileExists, match="send new_id=true"):
        upload(target, data)
    assert target.ids() == [identity]
    assert upload(target, data, new_id=True).startswith("00000003-")


def test_a_number_far_ahead_does_not_use_up_the_others(source: BackupSite, target: BackupSite) -> None:
    far = replace(source.place.manifest(source.ids()[0]), backup_id="99999999-20260131T235900Z")
    identity = upload(target, b"".join(BackupTar(far).pieces(source.destination)))
    assert identity.startswith("00000001-")


def test_it_is_signed_with_the_key_of_the_place(source: BackupSite, target: BackupSite) -> None:
    place = replace(target.place, key=b"the key of this gateway")
    uploads = BackupUploads(place, target_proofs(target), target.clock, 10**9)
    identity = uploads.receive(in_pieces(tar_of(source))).backup_id
    assert place.manifest(identity).backup_id == identity


def target_proofs(site: BackupSite) -> ProofStore:
    return ProofStore(site.state, site.place.name)


def test_it_is_no_basis_and_no_measure_for_backups_of_this_gateway(source: BackupSite, target: BackupSite) -> None:
    """A bucket of the same name may hold as many other values: a backup that took them over would be wrong."""
    write(target.store, "A", "m f=2 1000")
    upload(target, tar_of(source))
    own = target.backup()
    assert own.references == frozenset()
    listed = target.place.listed()
    assert {backup.backup_id: backup.uploaded for backup in listed} == {own.backup_id: False, source.ids()[0]: True}
    target.keep = Keep(last=1)
    assert target.prune()["removed"] == []


def test_latest_is_a_backup_of_this_gateway(source: BackupSite, target: BackupSite) -> None:
    write(target.store, "A", "m f=2 1000")
    own = target.backup()
    target.clock.days(1)
    uploaded = upload(target, tar_of(source))
    assert uploaded > own.backup_id
    assert target.verify()["backup"] == own.backup_id


def test_an_upload_that_a_kill_broke_off_is_removed_after_a_week(source: BackupSite, target: BackupSite) -> None:
    identity = source.ids()[0]
    catalog.claim(target.destination, identity, int(target.clock() * 1e9))
    catalog.mark_uploaded(target.destination, identity, int(target.clock() * 1e9), identity)
    target.keep = Keep(last=1)
    assert target.prune()["removed"] == []
    assert target.place.listed()[0].state is ListedState.UNFINISHED
    target.clock.days(8)
    assert [backup["backup"] for backup in target.prune()["removed"]] == [identity]


def climbing(entries: Entries) -> Entries:
    return [*entries[:2], (named("00000002-20260202T000000Z/../../x"), b"x"), *entries[2:]]


def with_entry(name: str, body: bytes = b"x") -> Callable[[Entries], Entries]:
    return lambda entries: [*entries[:1], (named(name), body), *entries[1:]]


def with_kind(kind: bytes) -> Callable[[Entries], Entries]:
    def change(entries: Entries) -> Entries:
        folder = entries[0][0].name.partition("/")[0]
        return [*entries[:1], (named(f"{folder}/x", kind, "/etc/passwd"), b""), *entries[1:]]

    return change


def inside(file: str) -> Callable[[Entries], Entries]:
    def change(entries: Entries) -> Entries:
        folder = entries[0][0].name.partition("/")[0]
        return with_entry(f"{folder}/{file}")(entries)

    return change


def swapped(entries: Entries) -> Entries:
    (first, body), (second, other), *rest = entries
    return [(first, other), (second, body), *rest]


def flipped(entries: Entries) -> Entries:
    (first, body), *rest = entries
    return [(first, bytes([body[0] ^ 1]) + body[1:]), *rest]


def with_manifest(change: Callable[[bytes], bytes]) -> Callable[[Entries], Entries]:
    return lambda entries: [*entries[:-1], (entries[-1][0], change(entries[-1][1]))]


HOSTILE = {
    "climbs": (climbing, "is no path inside a backup"),
    "absolute": (with_entry("/etc/passwd"), "is no path inside a backup"),
    "hidden": (inside(".ssh"), "is no path inside a backup"),
    "beside": (with_entry("claims/00000009"), "does not lie in a folder with the id"),
    "two backups": (with_entry("00000009-20260101T000000Z/x"), "it holds two backups"),
    "symlink": (with_kind(tarfile.SYMTYPE), "neither a file nor a folder"),
    "hard link": (with_kind(tarfile.LNKTYPE), "neither a file nor a folder"),
    "device": (with_kind(tarfile.CHRTYPE), "neither a file nor a folder"),
    "fifo": (with_kind(tarfile.FIFOTYPE), "neither a file nor a folder"),
    "further file": (inside("extra"), "which its manifest does not name"),
    "missing file": (lambda entries: entries[1:], "it lacks"),
    "twice": (lambda entries: [entries[0], *entries], "twice"),
    "swapped": (swapped, "has not the SHA-256|bytes, not"),
    "one bit": (flipped, "has not the SHA-256"),
    "no manifest": (lambda entries: entries[:-1], "it is no finished backup"),
    "two manifests": (lambda entries: [*entries, entries[-1]], "two manifests"),
    "changed manifest": (with_manifest(lambda text: text.replace(b"A", b"B")), "is damaged"),
    "manifest of nothing": (with_manifest(lambda text: b"{}"), "is damaged"),
}


@pytest.mark.parametrize("harm", HOSTILE)
def test_a_tar_that_is_no_whole_backup_leaves_nothing(source: BackupSite, target: BackupSite, harm: str) -> None:
    change, reason = HOSTILE[harm]
    refused(target, changed(tar_of(source), change), reason)
    assert upload(target, tar_of(source)) == source.ids()[0], "and the id stays free"


def refused(target: BackupSite, data: bytes, reason: str, most_bytes: int = 10**9) -> None:
    with pytest.raises(InvalidBody, match=reason):
        upload(target, data, most_bytes)
    assert target.place.listed() == []
    assert [file.path for file in target.destination.files("claims")] == []


def test_a_manifest_of_another_backup_is_refused(source: BackupSite, target: BackupSite) -> None:
    old = source.place.manifest(source.ids()[1])
    refused(target, changed(tar_of(source), with_manifest(lambda _: manifest_bytes(old))), "that of another backup")


def test_a_copied_folder_whose_files_lie_elsewhere_is_refused(source: BackupSite, target: BackupSite) -> None:
    text = content(source.destination, f"{source.ids()[0]}/manifest.json")
    refused(target, changed(tar_of(source), with_manifest(lambda _: text)), "files of it lie in")


def test_a_tar_that_is_cut_anywhere_is_refused(source: BackupSite, target: BackupSite) -> None:
    data = tar_of(source)
    for size in (0, 1, 512, 600, len(data) // 2, len(data) - 1024, len(data) - 513, len(data) - 1):
        refused(target, data[:size], "it was cut|ends in the middle")


def test_a_tar_bomb_ends_at_its_first_head(source: BackupSite, target: BackupSite) -> None:
    """What it announces is refused; nobody waits for it to come."""
    huge = named(f"{source.ids()[0]}/x")
    huge.size = 10**15
    head = huge.tobuf(tarfile.PAX_FORMAT)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield head
        while True:
            taken += 1
            yield bytes(1 << 20)

    uploads = BackupUploads(target.place, target_proofs(target), target.clock, 10**9)
    with pytest.raises(InvalidBody, match="more than 1000000000 bytes"):
        uploads.receive(endless())
    assert taken == 0


def test_zeros_behind_the_end_are_not_read_for_ever(source: BackupSite, target: BackupSite) -> None:
    refused(target, tar_of(source) + bytes(2 << 20), "something follows its end mark")


def test_the_folder_as_another_program_packs_it_is_taken(source: BackupSite, target: BackupSite) -> None:
    """Entries for folders, `./` before names, the manifest first, files that no manifest names, a padded end."""

    def packed(entries: Entries) -> Entries:
        folder = entries[0][0].name.partition("/")[0]
        others = [(named(f"./{member.name}"), body) for member, body in reversed(entries)]
        started = (named(f"./{folder}/started.json"), b"{}")
        return [(named(f"./{folder}", tarfile.DIRTYPE), b""), started, *others]

    assert upload(target, changed(tar_of(source), packed)) == source.ids()[0]


def test_an_encrypted_backup_opens_with_its_passphrase(tmp_path: Path, target: BackupSite) -> None:
    (tmp_path / "c").mkdir()
    site = filled(BackupSite(tmp_path / "c", Unlinked(tmp_path / "c" / "backups")))
    site.passphrase = "a passphrase"
    site.backup()
    site.clock.days(1)
    site.backup()
    identity = upload(target, tar_of(site), new_id=True)
    target.passphrase = "a passphrase"
    assert target.restore(backup=identity)["state"] == "equal"
