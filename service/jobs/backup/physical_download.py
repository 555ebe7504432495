"""Downloads the files of an InfluxDB into a backup, each checked for completeness while it comes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from service.archive import physical_manifest
from service.archive.encryption import Encrypter
from service.archive.gzipped import gzipped
from service.archive.manifest import OtherFile
from service.archive.physical_buckets import ServerShard, metadata_of, server_shards
from service.archive.physical_files import (
    MOST_UNPACKED_BYTES,
    ContentCheck,
    NotWhole,
    StoreKind,
    check_content,
    shard_check,
    store_check,
)
from service.archive.physical_manifest import LARGEST_MANIFEST_BYTES, FileCompression, PhysicalFile
from service.archive.slice_files import write_protected
from service.archive.watched import CountedPieces, watched
from service.errors import ShardRefused, StoreBroken, StoreFailed
from service.jobs.backup.pace import Pace
from service.jobs.backup.physical_progress import DownloadedFile, DownloadedMetadata
from service.jobs.backup.place import BackupPlace
from service.jobs.protocol import JobContext
from service.stores.influx.physical import MetadataPart, PhysicalBackups, PhysicalOpener, ShardFiles
from service.transfer.retry import Retrying
from service.transfer.run_log import Log

Entry = Mapping[str, Any]
"""A bucket as the server describes it."""
Entries = Sequence[Entry]


@dataclass(frozen=True)
class PhysicalTools:
    """What every part of a physical backup needs. `concurrency`: shards at one time."""

    place: BackupPlace
    backup_id: str
    encrypter: Encrypter | None
    job: JobContext
    retry: Retrying
    pace: Pace
    log: Log
    concurrency: int

    @property
    def base(self) -> str:
        """How the names of the files begin: when the backup began."""
        return self.backup_id.partition("-")[2]

    def write(self, name: str, pieces: Iterator[bytes]) -> OtherFile:
        """Write a file of the backup, encrypted where the place is."""
        return write_protected(self.place.destination, self.backup_id, name, pieces, self.encrypter)


@contextmanager
def operator_access(open_physical: PhysicalOpener, retry: Retrying) -> Iterator[PhysicalBackups]:
    """The files of the server, once its token was found good for them. Raises StoreDenied, StoreError."""
    with open_physical(None) as physical:
        retry.call(physical.demand_operator)
        yield physical


class PhysicalDownload:
    """Downloads from `physical`. Threads may share it."""

    def __init__(self, physical: PhysicalBackups, tools: PhysicalTools) -> None:
        self._physical = physical
        self._tools = tools
        self._names = physical_manifest.file_names(tools.base, ())

    def metadata(self, chosen: Callable[[Entries], Entries]) -> DownloadedMetadata:
        """The stores, and the entries of the buckets that `chosen` takes of all.

        Raises StoreError, ArchiveError, RetryLater, JobInterrupted.
        """
        return self._tools.retry.call(lambda: self._metadata(chosen))

    def shard(self, shard: ServerShard) -> DownloadedFile | None:
        """The files of a shard; None: it is no longer there. Raises ShardRefused, and as `metadata`."""
        downloaded = self._tools.retry.call(lambda: self._shard(shard))
        self._tools.pace.after_slice()
        return downloaded

    def _metadata(self, chosen: Callable[[Entries], Entries]) -> DownloadedMetadata:
        files: dict[MetadataPart, DownloadedFile] = {}
        texts: list[bytes] = []

        def take(part: MetadataPart, chunks: Iterator[bytes]) -> None:
            if part is MetadataPart.BUCKETS:
                texts.append(_small(chunks))
            else:
                pieces = gzipped(self._tools.pace.paced_bytes(chunks))
                files[part] = self._write(self._names[part.value], pieces, store_check(StoreKind(part.value)))

        self._physical.metadata(take)
        entries = chosen(_entries(b"".join(texts)))
        return DownloadedMetadata(files[MetadataPart.KV], files[MetadataPart.SQL], tuple(entries))

    def _shard(self, shard: ServerShard) -> DownloadedFile | None:
        files = self._answered(shard)
        if files is None:
            return None
        pieces = self._tools.pace.paced_bytes(files.chunks)
        name = physical_manifest.file_names(self._tools.base, [shard.shard_id])[shard.shard_id]
        check = shard_check(shard.bucket_id, shard.shard_id)
        return self._write(name, pieces if files.gzipped else gzipped(pieces), check)

    def _answered(self, shard: ServerShard) -> ShardFiles | None:
        """Raises ShardRefused.

        InfluxDB 2.9.1 answers 500 ("snapshots disabled" in its log) for a shard that it put to rest in the moment of
        its first write, until it is started again.
        """
        try:
            return self._physical.shard(shard.shard_id)
        except StoreFailed as failure:
            if not failure.retryable:
                raise
            raise ShardRefused(
                f"InfluxDB does not hand out the shard {shard.shard_id}: it answers an error.",
                advice="Its log says why. Where that is `snapshots disabled`, start InfluxDB again.",
                upstream=failure.upstream,
            ) from failure

    def _write(self, name: str, packed: Iterator[bytes], check: ContentCheck) -> DownloadedFile:
        """Write gzipped bytes whose content passes `check`; nothing remains of what does not."""
        compression = FileCompression.GZIP
        counted = CountedPieces(
            watched(packed, lambda content: check_content(content, compression, check, MOST_UNPACKED_BYTES)),
        )
        try:
            stored = self._tools.write(name, counted)
        except NotWhole as reason:
            raise StoreBroken(
                f"What InfluxDB sent for {name} is not whole: {reason}.",
                advice="It is asked again; if it stays so, look at its log and the link.",
            ) from None
        return DownloadedFile(PhysicalFile(name, counted.size, compression), stored)


def _small(chunks: Iterator[bytes]) -> bytes:
    pieces, size = [], 0
    for piece in chunks:
        size += len(piece)
        if size > LARGEST_MANIFEST_BYTES:
            raise StoreBroken(f"InfluxDB describes its buckets in more than {LARGEST_MANIFEST_BYTES} bytes.")
        pieces.append(piece)
    return b"".join(pieces)


def _entries(text: bytes) -> Entries:
    """The buckets of the server. Raises StoreBroken for what describes none."""
    try:
        entries = json.loads(text)
        for entry in entries:
            list(server_shards(entry))
            metadata_of(entry)
            physical_manifest.with_files(entry, {})
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise StoreBroken(
            "InfluxDB's list of its buckets makes no sense.",
            advice="Look at its log and the link.",
        ) from None
    return [dict(entry) for entry in entries]
