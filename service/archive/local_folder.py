"""Backups in a folder of this machine: temporary name, fsync, rename, fsync of the folder.

Files are for their owner alone (0600, folders 0700). Below the folder no symbolic link is ever followed.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from service.archive import local_files
from service.archive.destination import READ_BYTES, Sink, StoredFile
from service.archive.paths import segments_of
from service.errors import ArchiveError, ArchiveFileMissing, ArchiveUnavailable


class LocalFolder:
    """A `Destination` below `root`, which is made when the first file is written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        return str(self._root)

    @contextmanager
    def create(self, path: str) -> Iterator[Sink]:
        *folders, name = segments_of(path)
        try:
            with (
                self._translated("Writing", path),
                local_files.opened_folder(self._root, folders, create=True) as folder,
                local_files.unfinished_file(folder) as (unfinished, descriptor),
            ):
                sink = _FileSink(descriptor, self._shown(path))
                try:
                    yield sink
                except Exception as failure:  # noqa: BLE001  raised again below
                    raise _BlockFailed(sink.failure or failure) from None
                finally:
                    sink.closed = True
                if sink.failure is not None:
                    raise sink.failure
                os.fsync(descriptor)
                local_files.publish(folder, unfinished, name)
        except _BlockFailed as failed:
            raise failed.failure from None

    def write_new(self, path: str, content: bytes) -> None:
        *folders, name = segments_of(path)
        with (
            self._translated("Writing", path),
            local_files.opened_folder(self._root, folders, create=True) as folder,
            local_files.unfinished_file(folder) as (unfinished, descriptor),
        ):
            _FileSink(descriptor, self._shown(path)).write(content)
            os.fsync(descriptor)
            local_files.publish_new(folder, unfinished, name, self._shown(path))

    def read(self, path: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        *folders, name = segments_of(path)
        with self._translated("Reading", path):
            with local_files.opened_folder(self._root, folders) as folder:
                descriptor = local_files.open_file(folder, name)
            try:
                position = start
                while stop is None or position < stop:
                    wanted = READ_BYTES if stop is None else min(READ_BYTES, stop - position)
                    piece = os.pread(descriptor, wanted, position)
                    if not piece:
                        return
                    position += len(piece)
                    yield piece
            finally:
                os.close(descriptor)

    def size(self, path: str) -> int | None:
        *folders, name = segments_of(path)
        with self._translated("Looking at", path), suppress(FileNotFoundError):
            with local_files.opened_folder(self._root, folders) as folder:
                descriptor = local_files.open_file(folder, name)
            try:
                return os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
        return None

    def files(self, folder: str) -> Iterator[StoredFile]:
        for _, name, path, state in self._walked(folder):
            if stat.S_ISREG(state.st_mode) and not name.startswith(local_files.UNFINISHED):
                yield StoredFile(path, state.st_size)

    def folders(self) -> list[str]:
        with self._translated("Listing", ""), suppress(FileNotFoundError), os.scandir(self._root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        return []

    def delete(self, path: str) -> None:
        *folders, name = segments_of(path)
        with (
            self._translated("Deleting", path),
            suppress(FileNotFoundError),
            local_files.opened_folder(self._root, folders) as folder,
        ):
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    def link(self, source: str, path: str) -> bool:
        *source_folders, source_name = segments_of(source)
        *folders, name = segments_of(path)
        with (
            self._translated("Linking", source),
            local_files.opened_folder(self._root, source_folders) as source_folder,
        ):
            os.close(local_files.open_file(source_folder, source_name))
            with local_files.opened_folder(self._root, folders, create=True) as folder:
                return local_files.linked(source_folder, source_name, folder, name, self._shown(path))

    def clear_unfinished(self, folder: str) -> int:
        return self._remove(folder, lambda name: name.startswith(local_files.UNFINISHED))

    def delete_folder(self, folder: str) -> int:
        removed = self._remove(folder, lambda name: True)
        *folders, name = segments_of(folder)
        with self._translated("Deleting", folder), suppress(FileNotFoundError):
            with local_files.opened_folder(self._root, [*folders, name]) as whole:
                local_files.remove_empty(whole)
            with local_files.opened_folder(self._root, folders) as parent:
                os.rmdir(name, dir_fd=parent)
                os.fsync(parent)
        return removed

    def close(self) -> None:
        """Nothing is held open."""

    def _remove(self, folder: str, chosen: Callable[[str], bool]) -> int:
        removed = 0
        for parent, name, path, _ in self._walked(folder):
            if chosen(name):
                with self._translated("Deleting", path), suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=parent)
                    removed += 1
        return removed

    def _walked(self, folder: str) -> Iterator[tuple[int, str, str, os.stat_result]]:
        with (
            self._translated("Listing", folder),
            suppress(FileNotFoundError),
            local_files.opened_folder(self._root, segments_of(folder)) as opened,
        ):
            yield from local_files.walked(opened, f"{folder}/")

    def _shown(self, path: str) -> str:
        return str(self._root / path)

    @contextmanager
    def _translated(self, attempt: str, path: str) -> Iterator[None]:
        try:
            yield
        except ArchiveError:
            raise
        except FileNotFoundError:
            if attempt in ("Reading", "Linking"):
                raise ArchiveFileMissing(f"There is no file {self._shown(path)}.") from None
            raise ArchiveUnavailable(f"{attempt} {self._shown(path)} failed: its folder is gone. Try again.") from None
        except OSError as failure:
            raise local_files.unavailable(attempt, self._shown(path), failure) from failure


class _BlockFailed(Exception):
    """What the block of `create` raised: no failure of the folder.

    A sink's failure comes first: what stood between may have wrapped it.
    """

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure


class _FileSink:
    """Takes bytes for a file. What the system refuses is kept in `failure` too."""

    def __init__(self, descriptor: int, shown: str) -> None:
        self.size = 0
        self.closed = False
        self.failure: ArchiveUnavailable | None = None
        self._descriptor = descriptor
        self._shown = shown

    def write(self, data: bytes | memoryview, /) -> int:
        left = memoryview(data).cast("B")
        length = len(left)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as failure:
            self.failure = local_files.unavailable("Writing", self._shown, failure)
            raise self.failure from failure
        self.size += length
        return length

    def flush(self) -> None:
        """Every write goes to the system at once."""
