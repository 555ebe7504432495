"""Kills and full disks in the middle of a backup: nothing incomplete is called complete, older backups stay whole."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from service.archive import catalog
from service.archive.catalog import ListedState
from service.archive.checking import check_backup
from service.archive.local_folder import LocalFolder
from service.archive.parquet_files import write_parquet
from service.archive.slice_files import write_file, write_slice
from service.errors import ArchiveUnavailable
from tests.unit.archive.sample_backups import DAY_1, NOW, made_backup
from tests.unit.archive.test_local_folder import names, small_disk
from tests.unit.archive.test_slice_files import large_blocks

__all__ = ["small_disk"]
ROOT = Path(__file__).parents[3]
ENDLESS = """
    import sys
    from pathlib import Path
    from service.archive.local_folder import LocalFolder
    from tests.unit.archive.sample_backups import made_backup
    while True:
        made_backup(LocalFolder(Path(sys.argv[1])))
        print("made", flush=True)
"""


def test_a_killed_backup_is_never_called_complete_and_leaves_the_others_whole(tmp_path: Path) -> None:
    """One process makes backups without end, and is killed at any moment, ten times."""
    root, chance = tmp_path / "backups", random.Random(7)
    for _ in range(10):
        command = [sys.executable, "-c", textwrap.dedent(ENDLESS), str(root)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"made\n"
            time.sleep(chance.random() / 20)
            os.kill(process.pid, signal.SIGKILL)
    folder = LocalFolder(root)
    listed = catalog.listed(folder)
    assert len(listed) >= 10
    assert {backup.state for backup in listed} <= {ListedState.COMPLETE, ListedState.UNFINISHED}
    for backup in listed:
        if backup.manifest is not None:
            assert list(check_backup(folder, backup.manifest)) == []
        folder.clear_unfinished(backup.backup_id)
    folder.clear_unfinished(catalog.CLAIMS)
    assert not [name for name in names(root) if ".part-" in name]
    assert [backup.sequence for backup in listed] == sorted({backup.sequence for backup in listed}, reverse=True)


def test_a_full_disk_in_the_middle_of_a_slice_leaves_older_backups_whole(small_disk: Path) -> None:
    folder = LocalFolder(small_disk / "backups")
    older = made_backup(folder)
    backup = catalog.begin(folder, NOW)
    before = names(small_disk)
    with pytest.raises(ArchiveUnavailable, match=rf"Writing .*/{backup}/bucket/f failed: No space left on device"):
        write_slice(folder, backup, "bucket/f", DAY_1, large_blocks(40))
    with pytest.raises(ArchiveUnavailable, match="No space left on device"):
        write_parquet(folder, backup, "bucket/p", large_blocks(80))
    with pytest.raises(ArchiveUnavailable, match="No space left on device"):
        write_file(folder, backup, "bucket/x", iter(lambda: os.urandom(100_000), b""))
    assert names(small_disk) == sorted([*before, f"backups/{backup}/bucket"])
    catalog.mark_failed(folder, backup, NOW, "the disk is full")
    assert [listed.state for listed in catalog.listed(folder)] == [ListedState.FAILED, ListedState.COMPLETE]
    assert list(check_backup(folder, older)) == []


def test_a_repeated_slice_takes_the_place_of_the_earlier_try(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    backup = catalog.begin(folder, NOW)
    first = write_slice(folder, backup, "f", DAY_1, large_blocks(1)).entry
    again = write_slice(folder, backup, "f", DAY_1, large_blocks(1)).entry
    assert first == again
    assert [file.path for file in folder.files(backup)] == [f"{backup}/f", f"{backup}/started.json"]


def test_a_removal_that_breaks_off_leaves_no_backup(tmp_path: Path) -> None:
    """The manifest goes first: what is left is unfinished, and is removed by the next try."""
    folder = LocalFolder(tmp_path)
    manifest = made_backup(folder)
    folder.delete(f"{manifest.backup_id}/manifest.json")
    assert [listed.state for listed in catalog.listed(folder)] == [ListedState.UNFINISHED]
    assert catalog.remove(folder, manifest.backup_id) == 6
    assert catalog.listed(folder) == []
