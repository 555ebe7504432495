"""The port to where backups lie: files under paths, written whole or not at all.

A path is relative and of `paths.wrong_path`'s form; any other raises InvalidParameter. Two adapters fit the port:
`local_folder.LocalFolder` and `object_storage.ObjectStorage`. One contract suite holds both to what is said here.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

READ_BYTES = 1024 * 1024
"""The size of the pieces that `read` gives, or a few times as much."""


@dataclass(frozen=True)
class StoredFile:
    """A file by its path, and its size in bytes."""

    path: str
    size: int


class Sink(Protocol):
    """Takes the bytes of one file, in order. `size` counts them."""

    closed: bool

    @property
    def size(self) -> int: ...

    def write(self, data: bytes | memoryview, /) -> int:
        """Take all of `data`; returns its length. Raises ArchiveUnavailable."""

    def flush(self) -> None: ...


class Destination(Protocol):
    """A place for files. Threads may share it.

    Every method raises ArchiveUnavailable when the place cannot be reached, refuses, or is full; the message names the
    path and the reason, and what to do.
    """

    @property
    def name(self) -> str:
        """What people call the place; never a secret."""

    def create(self, path: str) -> AbstractContextManager[Sink]:
        """Write a file: whole and durable under `path` when the block ends, in place of one that was there.

        When the block raises, `path` is as it was, and nothing of the try remains (on object storage: nothing that a
        list shows; parts of broken uploads go by the bucket's lifecycle rule).
        """

    def write_new(self, path: str, content: bytes) -> None:
        """Write a small file that may not exist yet. Of several writers at one time exactly one succeeds.

        Raises ArchiveFileExists, with nothing changed.
        """

    def read(self, path: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, stop)`, up to the end when `stop` is None or lies behind it.

        Raises ArchiveFileMissing, at the latest with the first piece.
        """

    def size(self, path: str) -> int | None:
        """Bytes of the file; None: there is none."""

    def files(self, folder: str) -> Iterator[StoredFile]:
        """Every whole file below a folder, by path. A folder that is not there has none."""

    def folders(self) -> list[str]:
        """The names of the folders at the top, sorted."""

    def delete(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""

    def link(self, source: str, path: str) -> bool:
        """Have the file `source` under `path` too, without a copy. False: this place cannot, so refer to `source`.

        Raises ArchiveFileMissing for a source, ArchiveFileExists for a path.
        """

    def clear_unfinished(self, folder: str) -> int:
        """Remove what killed writers left below a folder that nobody writes to now; how many there were."""

    def delete_folder(self, folder: str) -> int:
        """Remove everything below a folder, leftovers too; how many files there were."""

    def close(self) -> None: ...
