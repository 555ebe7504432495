"""Whether the files of a physical backup are whole: sizes, gzip, the heads of the stores, and every entry of the tars.

This matters before a restore: InfluxDB 2 answers success to a tar that is cut (tsdb/shard.go swallows the error).
"""

import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Protocol

from service.archive.physical_manifest import FileCompression, PhysicalBucket, PhysicalFile, PhysicalManifest
from service.archive.tar_entries import NotTar, tar_entries
from service.archive.watched import CountedPieces
from service.errors import ArchiveFileMissing, BackupDamaged

MOST_TAR_ENTRIES = 100_000
MOST_UNPACKED_BYTES = 1 << 40
"""What a file of a real server never unpacks to: gzip packs at most 1,032 times, so it bounds nothing smaller."""
_CHUNK_BYTES = 1024 * 1024
_SMALLEST_PAGE_BYTES = 512
_BOLT_MAGIC = bytes.fromhex("edda0ced")
_SQLITE_MAGIC = b"SQLite format 3\0"


ContentCheck = Callable[[Iterator[bytes]], None]
"""Reads the unpacked bytes of a file, to the end or not. Raises NotWhole."""


class FileSource(Protocol):
    """Where files are read from: a `Destination`, or one whose files are encrypted."""

    def size(self, path: str) -> int | None:
        """Bytes of the file, as far as that is known without reading it; None: it is not there."""

    def read(self, path: str) -> Iterator[bytes]:
        """Raises ArchiveError."""


class NotWhole(ValueError):
    """Why a file is not whole."""


class StoreKind(StrEnum):
    """What a store's file is: of bolt (key-value) or of SQLite."""

    KV = "kv"
    SQL = "sql"


def check_physical(
    source: FileSource,
    folder: str,
    manifest: PhysicalManifest,
    most_bytes: int,
) -> Iterator[BackupDamaged]:
    """What is wrong with any file that the manifest names; nothing when all is well.

    `most_bytes`: the most that one file may unpack to. Raises ArchiveUnavailable.
    """
    for file, check in content_checks(manifest):
        damage = damage_of(source, f"{folder}/{file.name}", file, check, most_bytes)
        if damage is not None:
            yield damage


def content_checks(manifest: PhysicalManifest) -> Iterator[tuple[PhysicalFile, ContentCheck]]:
    """Every file that the manifest names, and the check of its content."""
    yield manifest.kv, store_check(StoreKind.KV)
    if manifest.sql is not None:
        yield manifest.sql, store_check(StoreKind.SQL)
    for bucket in manifest.buckets:
        yield from shard_checks(bucket)


def shard_checks(bucket: PhysicalBucket) -> Iterator[tuple[PhysicalFile, ContentCheck]]:
    """The tar of every shard of a bucket, and its check."""
    for shard in bucket.shards:
        yield shard.file, shard_check(bucket.bucket_id, shard.shard_id)


def store_check(kind: StoreKind) -> ContentCheck:
    return _check_bolt if kind is StoreKind.KV else _check_sqlite


def shard_check(bucket_id: str, shard_id: int) -> ContentCheck:
    return _TarCheck(bucket_id, shard_id)


def damage_of(
    source: FileSource,
    path: str,
    file: PhysicalFile,
    check: ContentCheck,
    most_bytes: int,
) -> BackupDamaged | None:
    """What is wrong with the file at `path`; None: nothing. As `check_physical`."""
    try:
        size = source.size(path)
        if size is None:
            return BackupDamaged(path, "it is not there")
        if size != file.size:
            return BackupDamaged(path, f"it has {size} bytes, not {file.size}")
        counted = CountedPieces(source.read(path))
        check_content(counted, file.compression, check, most_bytes)
        for _ in counted:
            pass
        if counted.size != file.size:
            return BackupDamaged(path, f"it has {counted.size} bytes, not {file.size}")
    except ArchiveFileMissing:
        return BackupDamaged(path, "it is not there")
    except NotWhole as reason:
        return BackupDamaged(path, str(reason))
    return None


def check_content(
    content: Iterator[bytes],
    compression: FileCompression,
    check: ContentCheck,
    most_bytes: int,
) -> None:
    """Check the bytes of a file as they come. Raises NotWhole, also for more than `most_bytes` unpacked."""
    unpacked = gunzipped(content) if compression is FileCompression.GZIP else content
    check(_bounded(unpacked, most_bytes))


def gunzipped(source: Iterator[bytes]) -> Iterator[bytes]:
    """All members in pieces of at most _CHUNK_BYTES. Go's writers make one, `gzip` may have made more."""
    unpacker = None
    members = 0
    for some in source:
        data = some
        while data:
            if unpacker is None:
                unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
                members += 1
            try:
                piece = unpacker.decompress(data, _CHUNK_BYTES)
            except zlib.error as failure:
                raise NotWhole(f"gzip does not unpack it ({failure})") from None
            yield piece
            data = unpacker.unconsumed_tail
            if unpacker.eof:
                data, unpacker = unpacker.unused_data, None
    if unpacker is not None or not members:
        raise NotWhole("it ends in the middle of its gzip")


def _bounded(source: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    size = 0
    for piece in source:
        size += len(piece)
        if size > most_bytes:
            raise NotWhole(f"it unpacks to more than {most_bytes} bytes")
        if piece:
            yield piece


def _check_bolt(content: Iterator[bytes]) -> None:
    """bbolt's first page: a head of 16 bytes, then magic number, version and page size; the file is whole pages."""
    head, size = _head_and_size(content, 28)
    page_bytes = int.from_bytes(head[24:28], "little")
    if head[16:20] != _BOLT_MAGIC:
        raise NotWhole("it is no bolt file")
    if page_bytes < _SMALLEST_PAGE_BYTES or size % page_bytes or size < 2 * page_bytes:
        raise NotWhole(f"its {size} bytes are no whole bolt pages of {page_bytes} bytes: it was cut")


def _check_sqlite(content: Iterator[bytes]) -> None:
    """SQLite's header: magic, page size at 16 (1 means 65,536), number of pages at 28 (sqlite.org/fileformat.html)."""
    head, size = _head_and_size(content, 100)
    if head[:16] != _SQLITE_MAGIC:
        raise NotWhole("it is no SQLite file")
    page_bytes = int.from_bytes(head[16:18], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    pages = int.from_bytes(head[28:32], "big")
    if page_bytes < _SMALLEST_PAGE_BYTES or size != page_bytes * pages:
        raise NotWhole(f"it has {size} bytes, not {pages} pages of {page_bytes}: it was cut")


def _head_and_size(content: Iterator[bytes], length: int) -> tuple[bytes, int]:
    head, size = b"", 0
    for piece in content:
        head += piece[: max(0, length - len(head))]
        size += len(piece)
    return head.ljust(length, b"\0"), size


class _TarCheck:
    """A shard's tar: files and folders alone, each below `<bucket id>/autogen/<shard id>/`, each once."""

    def __init__(self, bucket_id: str, shard_id: int) -> None:
        self._folder = f"{bucket_id}/autogen/{shard_id}"

    def __call__(self, content: Iterator[bytes]) -> None:
        names: set[str] = set()
        try:
            for entry in tar_entries(content):
                self._check(entry.name, names)
        except NotTar as reason:
            raise NotWhole(f"its tar is not whole: {reason}") from None

    def _check(self, name: str, names: set[str]) -> None:
        plain = name.removesuffix("/")
        inside = plain == self._folder or plain.startswith(f"{self._folder}/")
        if not inside or any(part in ("", ".", "..") for part in plain.split("/")):
            raise NotWhole(f"its tar has an entry {name[:200]!r}, which lies outside {self._folder}/")
        if plain in names:
            raise NotWhole(f"its tar has the entry {name[:200]!r} twice")
        names.add(plain)
        if len(names) > MOST_TAR_ENTRIES:
            raise NotWhole(f"its tar has more than {MOST_TAR_ENTRIES} entries")
