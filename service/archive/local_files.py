"""Files of one folder by descriptors: every step opens one name without following links, so that no path leaves it."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from service.errors import ArchiveFileExists, ArchiveUnavailable

UNFINISHED = ".part-"
"""How the names of files begin that are not yet whole. No path has a part that begins with a dot."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.ENOSYS)


def unavailable(attempt: str, path: str, failure: OSError) -> ArchiveUnavailable:
    """The error for what the system refused, by the system's own words."""
    advice = {
        errno.ENOSPC: "Free space, or choose another folder.",
        errno.EDQUOT: "Free space, or raise the quota.",
        errno.EFBIG: "The file system or a limit of the process takes no larger files.",
        errno.ELOOP: "A symbolic link stands where a file or folder of a backup belongs: remove it.",
        errno.ENOTDIR: "A link or a file stands where a folder of a backup belongs: remove it.",
        errno.EACCES: "Give the user of this process the right to it.",
        errno.EROFS: "The file system takes no writes.",
    }.get(failure.errno or 0, "Look at the folder and its disk.")
    return ArchiveUnavailable(f"{attempt} {path} failed: {os.strerror(failure.errno or 0)}. {advice}")


@contextmanager
def opened_folder(root: Path, segments: Sequence[str], create: bool = False) -> Iterator[int]:
    """A descriptor of a folder below `root`. Raises OSError, for a link in the place of a folder too.

    `root` itself may be a link: the operator named it. With `create` folders are made, for their owner alone.
    Raises ArchiveUnavailable on Windows, which opens no file relative to a folder.
    """
    if os.open not in os.supports_dir_fd:
        finding = "Backups in a folder need Linux or macOS."
        raise ArchiveUnavailable(
            f"{finding} On Windows set BACKUP_S3_BUCKET, or run the gateway in WSL or a container."
        )
    if create:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    current = os.open(root, _FOLDER)
    try:
        for segment in segments:
            if create:
                _make_folder(segment, current)
            below = os.open(segment, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = below
        yield current
    finally:
        os.close(current)


def _make_folder(name: str, parent: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)


def open_file(folder: int, name: str) -> int:
    """A descriptor for reading. Raises OSError, for a link and for what is no regular file too."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ELOOP, "no regular file")
    return descriptor


@contextmanager
def unfinished_file(folder: int) -> Iterator[tuple[str, int]]:
    """The name and descriptor of a new temporary file, which is gone at the end unless it was renamed."""
    name = f"{UNFINISHED}{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        yield name, descriptor
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def publish(folder: int, unfinished: str, name: str) -> None:
    """Give a temporary file, whose bytes are on the disk, its name, in place of what had it."""
    os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def publish_new(folder: int, unfinished: str, name: str, path: str) -> None:
    """As `publish`, where nothing has the name yet. Raises ArchiveFileExists."""
    try:
        os.link(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.fsync(folder)
    except FileExistsError:
        raise exists(path) from None
    except OSError as failure:
        if failure.errno not in _NO_LINKS:
            raise
        publish_claimed(folder, unfinished, name, path)


def publish_claimed(folder: int, unfinished: str, name: str, path: str) -> None:
    """`publish_new` on file systems without hard links: an empty file takes the name first."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.close(os.open(name, flags, 0o600, dir_fd=folder))
    except FileExistsError:
        raise exists(path) from None
    publish(folder, unfinished, name)


def linked(source: int, source_name: str, folder: int, name: str, path: str) -> bool:
    """A second name for a file; False: the file system has no hard links. Raises ArchiveFileExists, OSError."""
    try:
        os.link(source_name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        os.fsync(folder)
    except FileExistsError:
        raise exists(path) from None
    except OSError as failure:
        if failure.errno in _NO_LINKS:
            return False
        raise
    return True


def exists(path: str) -> ArchiveFileExists:
    return ArchiveFileExists(f"{path} is there already, and it may not be replaced. Does another backup run?")


def walked(folder: int, prefix: str) -> Iterator[tuple[int, str, str, os.stat_result]]:
    """Every entry below a folder that is no folder, by name: its folder's descriptor, name, path and state.

    Links are entries, and are not followed.
    """
    for name in sorted(os.listdir(folder)):
        try:
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(state.st_mode):
                yield folder, name, f"{prefix}{name}", state
                continue
            below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            continue
        try:
            yield from walked(below, f"{prefix}{name}/")
        finally:
            os.close(below)


def remove_empty(folder: int) -> None:
    """Remove the folders below that hold nothing."""
    for name in os.listdir(folder):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            try:
                remove_empty(below)
            finally:
                os.close(below)
            with suppress(OSError):
                os.rmdir(name, dir_fd=folder)
