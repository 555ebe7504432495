"""What only a folder can show: rights, links, full disks, and what killed writers leave."""

import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.archive import local_files
from service.archive.local_folder import LocalFolder
from service.errors import ArchiveError, ArchiveFileExists, ArchiveUnavailable
from tests.unit.archive.test_destination import content, put


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = LocalFolder(tmp_path / "made" / "backups")
        put(folder, "b/deep/file", b"x")
        folder.write_new("b/marker", b"x")
    finally:
        os.umask(before)
    root = tmp_path / "made" / "backups"
    modes = {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
    assert modes == {"b": 0o700, "b/deep": 0o700, "b/deep/file": 0o600, "b/marker": 0o600}
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_no_link_in_the_place_of_a_folder_is_followed(tmp_path: Path, folder: LocalFolder) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    put(folder, "b/file", b"x")
    (tmp_path / "backups" / "link").symlink_to(outside)
    (tmp_path / "backups" / "b" / "link").symlink_to(outside)
    for path in ("link/secret", "b/link/secret"):
        for attempt in (
            lambda path=path: content(folder, path),
            lambda path=path: folder.size(path),
            lambda path=path: put(folder, path, b"overwritten"),
            lambda path=path: folder.write_new(f"{path}2", b"new"),
            lambda path=path: folder.delete(path),
            lambda path=path: folder.link(path, "b/copy"),
            lambda path=path: folder.link("b/file", f"{path}3"),
        ):
            with pytest.raises(ArchiveError, match="link or a file stands where a folder"):
                attempt()
    assert folder.folders() == ["b"]
    assert [file.path for file in folder.files("b")] == ["b/file"]
    assert names(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_no_link_in_the_place_of_a_file_is_followed(tmp_path: Path, folder: LocalFolder) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    put(folder, "b/file", b"x")
    (tmp_path / "backups" / "b" / "link").symlink_to(secret)
    for attempt in (
        lambda: content(folder, "b/link"),
        lambda: folder.size("b/link"),
        lambda: folder.link("b/link", "b/copy"),
    ):
        with pytest.raises(ArchiveUnavailable, match="symbolic link stands where"):
            attempt()
    with pytest.raises(ArchiveFileExists):
        folder.write_new("b/link", b"new")
    put(folder, "b/link", b"replaces the link")
    assert secret.read_text() == "secret"
    assert content(folder, "b/link") == b"replaces the link"


def test_a_folder_with_links_is_removed_without_what_they_lead_to(tmp_path: Path, folder: LocalFolder) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    put(folder, "b/deep/file", b"x")
    (tmp_path / "backups" / "b" / "link").symlink_to(outside)
    (tmp_path / "backups" / "b" / "dangling").symlink_to(tmp_path / "nowhere")
    assert folder.delete_folder("b") == 3
    assert folder.folders() == []
    assert names(outside) == ["kept"]


def test_what_is_no_file_is_not_read(tmp_path: Path, folder: LocalFolder) -> None:
    put(folder, "b/file", b"x")
    os.mkfifo(tmp_path / "backups" / "b" / "pipe")
    for path in ("b/pipe", "b"):
        with pytest.raises(ArchiveError):
            content(folder, path)
    assert [file.path for file in folder.files("b")] == ["b/file"]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    put(LocalFolder(tmp_path / "link"), "b/file", b"x")
    assert names(tmp_path / "disk") == ["b", "b/file"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, timeout=20, check=False).returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    yield disk
    subprocess.run(["umount", str(disk)], timeout=20, check=True)


def test_a_full_disk_is_named_and_cleaned_up_and_old_files_stay(small_disk: Path) -> None:
    folder = LocalFolder(small_disk / "backups")
    put(folder, "old/file", b"o" * 500_000)
    with pytest.raises(ArchiveUnavailable, match=r"Writing .*/new/file failed: No space left on device\. Free space"):
        put(folder, "new/file", *[b"n" * 300_000] * 10)
    assert names(small_disk / "backups") == ["new", "old", "old/file"]
    assert content(folder, "old/file") == b"o" * 500_000
    put(folder, "new/file", b"n" * 1_000_000)


def test_a_limit_on_the_size_of_files_is_named_and_cleaned_up(tmp_path: Path, folder: LocalFolder) -> None:
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(ArchiveUnavailable, match=r"/b/file failed: File too large\. The file system or a limit"):
            put(folder, "b/file", *[b"x" * 300_000] * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert names(tmp_path / "backups") == ["b"]


def test_a_failure_that_the_writer_hides_still_fails_the_file(tmp_path: Path, small_disk: Path) -> None:
    folder = LocalFolder(small_disk)
    with pytest.raises(ArchiveUnavailable, match="No space left"), folder.create("b/file") as sink:
        for _ in range(10):
            try:
                sink.write(b"x" * 500_000)
            except ArchiveUnavailable:
                continue
    assert names(small_disk) == ["b"]


def test_a_killed_writer_leaves_nothing_that_looks_like_a_file(tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from service.archive.local_folder import LocalFolder
        with LocalFolder(Path(sys.argv[1])).create("b/deep/file") as sink:
            sink.write(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    root = tmp_path / "backups"
    command = [sys.executable, "-c", textwrap.dedent(script), root]
    killed = subprocess.run(command, cwd=Path(__file__).parents[3], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = LocalFolder(root)
    put(folder, "b/whole", b"x")
    assert [file.path for file in folder.files("b")] == ["b/whole"]
    assert folder.size("b/deep/file") is None
    assert len(names(root)) == 4
    assert folder.clear_unfinished("b") == 1
    assert folder.clear_unfinished("b") == 0
    assert names(root) == ["b", "b/deep", "b/whole"]
    assert folder.delete_folder("b") == 1
    assert names(root) == []


def test_without_hard_links_a_new_file_is_claimed_by_its_name(tmp_path: Path) -> None:
    with local_files.opened_folder(tmp_path, []) as opened:
        with local_files.unfinished_file(opened) as (unfinished, descriptor):
            os.write(descriptor, b"first")
            local_files.publish_claimed(opened, unfinished, "marker", "b/marker")
        with (
            pytest.raises(ArchiveFileExists, match="b/marker is there already"),
            local_files.unfinished_file(opened) as (unfinished, _),
        ):
            local_files.publish_claimed(opened, unfinished, "marker", "b/marker")
    assert names(tmp_path) == ["marker"]
    assert (tmp_path / "marker").read_bytes() == b"first"


def test_a_link_between_file_systems_is_no_link(small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "source").write_bytes(b"x")
    with local_files.opened_folder(small_disk, []) as source, local_files.opened_folder(tmp_path, []) as folder:
        assert not local_files.linked(source, "source", folder, "copy", "copy")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = LocalFolder(tmp_path / "file" / "backups")
    with pytest.raises(ArchiveUnavailable, match=r"Writing .*/file/backups/b/x failed: Not a directory"):
        put(folder, "b/x", b"x")
