"""A backup as one tar: its size and offsets are known beforehand, and any range is that part of the whole."""

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.archive import catalog
from service.archive.backup_ids import backup_id
from service.archive.backup_tar import BackupTar, self_contained
from service.archive.checking import check_backup
from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.archive.manifest import Manifest, OtherFile
from service.archive.manifest_file import manifest_bytes, read_manifest
from service.archive.slice_files import write_file
from service.errors import ArchiveFileMissing, BackupDamaged
from tests.support.backup_site import flip, put
from tests.unit.archive.sample_backups import KEY, NOW, made_backup, manifests


def incremental(destination: Destination) -> Manifest:
    """A second backup, whose slices lie in the first, with files whose heads need room and an empty one."""
    first = made_backup(destination)
    identity = catalog.begin(destination, NOW)
    files = [write_file(destination, identity, name, [name.encode()]) for name in ("notes.txt", "a" * 180 + "/ü 🚜")]
    files.append(write_file(destination, identity, "empty", []))
    second = replace(first, backup_id=identity, files=(*first.files, *files))
    catalog.finish(destination, second)
    return second


def whole(destination: Destination, tar: BackupTar, *span: int) -> bytes:
    return b"".join(tar.pieces(destination, *span))


@cache
def sample() -> tuple[Destination, BackupTar, bytes]:
    destination = LocalFolder(Path(mkdtemp()) / "backups")
    tar = BackupTar(incremental(destination), KEY)
    return destination, tar, whole(destination, tar)


def test_the_tar_is_one_that_any_program_unpacks(tmp_path: Path) -> None:
    _, tar, content = sample()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as unpacked:
        members = unpacked.getmembers()
        unpacked.extractall(tmp_path, filter="data")
    assert members[-1].name.endswith("/manifest.json")
    assert {(member.mode, member.mtime, member.type) for member in members} == {
        (0o600, NOW // 10**9, tarfile.REGTYPE),
    }
    place = LocalFolder(tmp_path)
    (listed,) = catalog.listed(place, KEY)
    assert listed.manifest is not None and listed.manifest.references == frozenset()
    assert list(check_backup(place, listed.manifest)) == []
    assert manifest_bytes(listed.manifest, KEY) == tar.manifest


def test_its_size_is_known_before_a_file_is_read() -> None:
    _, tar, content = sample()
    assert tar.size == len(content)


@given(st.data())
def test_any_range_is_that_part_of_the_whole(data: st.DataObject) -> None:
    destination, tar, content = sample()
    start = data.draw(st.integers(0, tar.size))
    stop = data.draw(st.integers(start, tar.size + 10))
    assert whole(destination, tar, start, stop) == content[start:stop]


def test_every_edge_of_a_block_is_a_range_of_its_own() -> None:
    destination, tar, content = sample()
    for edge in range(0, tar.size, 512):
        for start, stop in ((edge, edge + 1), (max(0, edge - 1), edge), (max(0, edge - 1), edge + 1)):
            assert whole(destination, tar, start, stop) == content[start:stop]


@given(manifests())
def test_a_self_contained_manifest_refers_to_nothing_and_says_the_same_of_every_file(manifest: Manifest) -> None:
    contained = self_contained(manifest)
    assert contained.references == frozenset()
    assert [(entry.size, entry.sha256) for entry in contained.entries] == [
        (entry.size, entry.sha256) for entry in manifest.entries
    ]
    assert self_contained(contained) == contained
    assert BackupTar(manifest).size % 512 == 0


def test_files_of_one_path_in_two_backups_stay_two(tmp_path: Path) -> None:
    destination = LocalFolder(tmp_path)
    manifest = incremental(destination)
    older = manifest.files[0].backup
    assert [file.file for file in self_contained(manifest).files][:2] == [f"{older}/notes.txt", "notes.txt"]


def test_a_file_beyond_eight_gigabytes_has_a_head_that_says_so() -> None:
    _, tar, _ = sample()
    manifest = read_manifest(tar.manifest, "", KEY)
    large = OtherFile("large", manifest.backup_id, 10**12, "0" * 64)
    assert BackupTar(replace(manifest, files=(large,))).size > 10**12


@pytest.mark.parametrize("size", [512, 1000, 3_000_000])
@pytest.mark.parametrize("stop", ["all of it", "the end of the file", "the middle of the file"])
def test_a_damaged_file_breaks_off_before_the_range_is_complete(tmp_path: Path, size: int, stop: str) -> None:
    destination = LocalFolder(tmp_path)
    first = made_backup(destination)
    identity = backup_id(9, NOW)
    file = write_file(destination, identity, "large", [bytes(size)])
    tar = BackupTar(replace(first, backup_id=identity, buckets=(), files=(file,)))
    flip(destination, file.path)
    ends = {"all of it": tar.size, "the end of the file": 512 + size, "the middle of the file": 512 + size // 2}
    for start in (0, 512, 600):
        came = b""
        with pytest.raises(BackupDamaged):
            for piece in tar.pieces(destination, start, ends[stop]):
                came += piece
        assert len(came) < ends[stop] - start


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (lambda place, path: place.delete(path), ArchiveFileMissing),
        (lambda place, path: put(place, path, b""), BackupDamaged),
        (lambda place, path: put(place, path, b"more than it had before, by far" * 999), BackupDamaged),
    ],
)
def test_a_missing_cut_or_grown_file_breaks_off(
    tmp_path: Path, harm: Callable[[Destination, str], None], error: type[Exception]
) -> None:
    destination = LocalFolder(tmp_path)
    manifest = incremental(destination)
    harm(destination, manifest.entries[0].path)
    with pytest.raises(error):
        whole(destination, BackupTar(manifest))


def test_an_empty_file_that_is_missing_breaks_off(tmp_path: Path) -> None:
    destination = LocalFolder(tmp_path)
    manifest = incremental(destination)
    destination.delete(manifest.files[-1].path)
    with pytest.raises(ArchiveFileMissing):
        whole(destination, BackupTar(manifest))


def test_whoever_leaves_ends_it() -> None:
    destination, tar, _ = sample()

    def leave() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(tar.pieces(destination, check=leave))
