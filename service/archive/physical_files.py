"""Whether the files of a physical backup are whole: sizes, gzip, the heads of the stores, and every entry of the tars.

This matters before a restore: InfluxDB 2 answers success to a tar that is cut (tsdb/shard.go swallows the error).
"""

import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum

from service.archive.destination import Destination
from service.archive.physical_manifest import FileCompression, PhysicalFile, PhysicalManifest
from service.archive.tar_entries import NotTar, tar_entries
from service.errors import ArchiveFileMissing, BackupDamaged

MOST_TAR_ENTRIES = 100_000
_CHUNK_BYTES = 1024 * 1024
_SMALLEST_PAGE_BYTES = 512
_BOLT_MAGIC = bytes.fromhex("edda0ced")
_SQLITE_MAGIC = b"SQLite format 3\0"


class StoreKind(StrEnum):
    """What a store's file is: of bolt (key-value) or of SQLite."""

    KV = "kv"
    SQL = "sql"


def check_physical(
    destination: Destination,
    folder: str,
    manifest: PhysicalManifest,
    most_bytes: int,
) -> Iterator[BackupDamaged]:
    """What is wrong with any file that the manifest names; nothing when all is well.

    `most_bytes`: the most that one file may unpack to. Raises ArchiveUnavailable.
    """
    checks: list[tuple[PhysicalFile, Callable[[Iterator[bytes]], None]]] = [(manifest.kv, _check_bolt)]
    if manifest.sql is not None:
        checks.append((manifest.sql, _check_sqlite))
    for bucket in manifest.buckets:
        for shard in bucket.shards:
            checks.append((shard.file, _TarCheck(bucket.bucket_id, shard.shard_id)))
    for file, check in checks:
        damage = _damage(destination, f"{folder}/{file.name}", file, check, most_bytes)
        if damage is not None:
            yield damage


def check_store(
    destination: Destination,
    folder: str,
    file: PhysicalFile,
    kind: StoreKind,
    most_bytes: int,
) -> BackupDamaged | None:
    """What is wrong with the file of a store, just downloaded perhaps; None: nothing. As `check_physical`."""
    check = _check_bolt if kind is StoreKind.KV else _check_sqlite
    return _damage(destination, f"{folder}/{file.name}", file, check, most_bytes)


def check_shard(
    destination: Destination,
    folder: str,
    file: PhysicalFile,
    bucket_id: str,
    shard_id: int,
    most_bytes: int,
) -> BackupDamaged | None:
    """What is wrong with the tar of a shard, just downloaded perhaps; None: nothing. As `check_physical`."""
    return _damage(destination, f"{folder}/{file.name}", file, _TarCheck(bucket_id, shard_id), most_bytes)


def _damage(
    destination: Destination,
    path: str,
    file: PhysicalFile,
    check: Callable[[Iterator[bytes]], None],
    most_bytes: int,
) -> BackupDamaged | None:
    try:
        size = destination.size(path)
        if size is None:
            return BackupDamaged(path, "it is not there")
        if size != file.size:
            return BackupDamaged(path, f"it has {size} bytes, not {file.size}")
        content = destination.read(path)
        if file.compression is FileCompression.GZIP:
            content = _gunzipped(content)
        check(_bounded(content, most_bytes))
    except ArchiveFileMissing:
        return BackupDamaged(path, "it is not there")
    except _Wrong as reason:
        return BackupDamaged(path, str(reason))
    return None


class _Wrong(ValueError):
    """Why a file is not whole."""


def _gunzipped(source: Iterator[bytes]) -> Iterator[bytes]:
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
                raise _Wrong(f"gzip does not unpack it ({failure})") from None
            yield piece
            data = unpacker.unconsumed_tail
            if unpacker.eof:
                data, unpacker = unpacker.unused_data, None
    if unpacker is not None or not members:
        raise _Wrong("it ends in the middle of its gzip")


def _bounded(source: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    size = 0
    for piece in source:
        size += len(piece)
        if size > most_bytes:
            raise _Wrong(f"it unpacks to more than {most_bytes} bytes")
        if piece:
            yield piece


def _check_bolt(content: Iterator[bytes]) -> None:
    """bbolt's first page: a head of 16 bytes, then magic number, version and page size; the file is whole pages."""
    head, size = _head_and_size(content, 28)
    page_bytes = int.from_bytes(head[24:28], "little")
    if head[16:20] != _BOLT_MAGIC:
        raise _Wrong("it is no bolt file")
    if page_bytes < _SMALLEST_PAGE_BYTES or size % page_bytes or size < 2 * page_bytes:
        raise _Wrong(f"its {size} bytes are no whole bolt pages of {page_bytes} bytes: it was cut")


def _check_sqlite(content: Iterator[bytes]) -> None:
    """SQLite's header: magic, page size at 16 (1 means 65,536), number of pages at 28 (sqlite.org/fileformat.html)."""
    head, size = _head_and_size(content, 100)
    if head[:16] != _SQLITE_MAGIC:
        raise _Wrong("it is no SQLite file")
    page_bytes = int.from_bytes(head[16:18], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    pages = int.from_bytes(head[28:32], "big")
    if page_bytes < _SMALLEST_PAGE_BYTES or size != page_bytes * pages:
        raise _Wrong(f"it has {size} bytes, not {pages} pages of {page_bytes}: it was cut")


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
            raise _Wrong(f"its tar is not whole: {reason}") from None

    def _check(self, name: str, names: set[str]) -> None:
        plain = name.removesuffix("/")
        inside = plain == self._folder or plain.startswith(f"{self._folder}/")
        if not inside or any(part in ("", ".", "..") for part in plain.split("/")):
            raise _Wrong(f"its tar has an entry {name[:200]!r}, which lies outside {self._folder}/")
        if plain in names:
            raise _Wrong(f"its tar has the entry {name[:200]!r} twice")
        names.add(plain)
        if len(names) > MOST_TAR_ENTRIES:
            raise _Wrong(f"its tar has more than {MOST_TAR_ENTRIES} entries")
