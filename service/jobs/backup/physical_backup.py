"""One physical backup: counts, the server's stores, every shard, all of it read back, then the two manifests.

The files are those of the `influx` command line, so that `influx restore` takes the folder too. Finished files are not
downloaded again by a run that goes on; counts, stores and the list of shards stay those of the first run.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from service import __version__
from service.archive import catalog, physical_manifest
from service.archive.encryption import Decrypter, KeyPair
from service.archive.manifest import BackupKind, BackupState, BucketBackup, Manifest, OtherFile
from service.archive.physical_buckets import ServerShard, is_system, metadata_of, server_shards
from service.archive.physical_counts import COUNTS_FILE, BucketCounts, written_counts
from service.archive.physical_files import content_checks
from service.archive.physical_folder import PhysicalFolder
from service.archive.physical_manifest import PhysicalManifest, with_files
from service.domain.timerange import EVER
from service.errors import ArchiveUnavailable, ShardRefused
from service.jobs.backup.in_order import in_order
from service.jobs.backup.options import BackupOptions
from service.jobs.backup.physical_contents import (
    SHARDS_GONE,
    missing_buckets,
    missing_shards,
    not_covered,
    with_details,
    without_lacking,
)
from service.jobs.backup.physical_download import Entries, Entry, PhysicalDownload, PhysicalTools
from service.jobs.backup.physical_progress import DownloadedFile, DownloadedMetadata, PhysicalProgress
from service.jobs.backup.value_counts import ValueCounter
from service.stores.influx.physical import PhysicalBackups
from service.stores.protocol import Store


@dataclass
class _Shards:
    """What became of the shards."""

    files: dict[int, DownloadedFile] = field(default_factory=dict)
    gone: list[ServerShard] = field(default_factory=list)
    refused: dict[ServerShard, str] = field(default_factory=dict)

    @property
    def lacking(self) -> list[ServerShard]:
        return [*self.gone, *self.refused]


class PhysicalBackup:
    """A backup `tools.backup_id` of the server of `physical`; `store` counts. `clock` gives seconds since 1970."""

    def __init__(
        self,
        physical: PhysicalBackups,
        store: Store,
        tools: PhysicalTools,
        progress: PhysicalProgress,
        options: BackupOptions,
        key_pair: KeyPair | None,
        created_ns: int,
        clock: Callable[[], float],
    ) -> None:
        self._organization = physical.organization
        self._store = store
        self._tools = tools
        self._progress = progress
        self._options = options
        self._key_pair = key_pair
        self._created_ns = created_ns
        self._clock = clock
        self._download = PhysicalDownload(physical, tools)

    def run(self) -> Manifest:
        """The manifest, written last. Raises StoreError, ArchiveError, RetryLater, JobInterrupted."""
        counts = self._counts()
        metadata = self._metadata()
        shards = self._shards(metadata)
        plain = self._plain_manifest(metadata, shards)
        files = [metadata.kv.stored, metadata.sql.stored, *(file.stored for file in shards.files.values())]
        self._read_back(files, plain)
        files += self._small_files(plain, without_lacking(counts, metadata, shards.lacking, self._organization))
        return self._finish(metadata, files, shards)

    def _counts(self) -> dict[str, BucketCounts]:
        known = self._progress.counts()
        if known is not None:
            return known
        wanted = self._options.buckets
        present = [bucket.name for bucket in self._tools.retry.call(self._store.buckets)]
        names = [name for name in present if wanted is None or name in wanted]
        counts = ValueCounter(self._store, self._tools.retry, self._tools.log).counts(names)
        self._progress.note_counts(counts)
        return counts

    def _metadata(self) -> DownloadedMetadata:
        known = self._progress.metadata()
        if known is not None:
            return known
        metadata = self._download.metadata(self._chosen)
        self._progress.note_metadata(metadata)
        return metadata

    def _chosen(self, entries: Entries) -> Entries:
        """All buckets of the server, or those ordered, which are of the gateway's own organization."""
        wanted = self._options.buckets
        return [entry for entry in entries if wanted is None or (self._is_own(entry) and entry["bucketName"] in wanted)]

    def _is_own(self, entry: Entry) -> bool:
        return bool(entry["organizationName"] == self._organization)

    def _shards(self, metadata: DownloadedMetadata) -> _Shards:
        wanted = [shard for entry in metadata.buckets for shard in server_shards(entry)]
        shards, concurrency = _Shards(), self._tools.concurrency
        with ThreadPoolExecutor(concurrency, "backup-shard") as threads:
            outcomes = in_order(threads, self._shard, wanted, concurrency)
            for done, (shard, file) in enumerate(zip(wanted, outcomes, strict=True), start=1):
                if file is None:
                    shards.gone.append(shard)
                elif isinstance(file, ShardRefused):
                    shards.refused[shard] = file.message
                else:
                    shards.files[shard.shard_id] = file
                self._tools.job.progress(done, len(wanted), "shards")
        if shards.gone:
            ids = ", ".join(str(shard.shard_id) for shard in shards.gone[:20])
            self._tools.log("warning", f"{len(shards.gone)} shards are not in the backup ({ids}): {SHARDS_GONE}.")
        return shards

    def _shard(self, shard: ServerShard) -> DownloadedFile | ShardRefused | None:
        self._tools.job.check()
        known = self._progress.shard(shard.shard_id)
        if known is not None:
            return known
        try:
            file = self._download.shard(shard)
        except ShardRefused as refused:
            return refused
        if file is not None:
            self._progress.note_shard(shard.shard_id, file)
        return file

    def _plain_manifest(self, metadata: DownloadedMetadata, shards: _Shards) -> bytes:
        files = {shard_id: file.plain for shard_id, file in shards.files.items()}
        entries = [with_files(entry, files) for entry in metadata.buckets]
        return physical_manifest.written(metadata.kv.plain, metadata.sql.plain, entries)

    def _read_back(self, files: list[OtherFile], plain: bytes) -> None:
        """Every file, read from where it lies: its SHA-256, its gzip, the heads of stores, the entries of tars."""
        tools = self._tools
        manifest = physical_manifest.read(plain, physical_manifest.manifest_name(tools.base))
        decrypter = None if self._key_pair is None else Decrypter((self._key_pair.identity,))
        folder = PhysicalFolder.of_files(tools.place.destination, tools.backup_id, files, decrypter, tools.job.check)
        for damage in folder.damages(content_checks(manifest)):
            self._forget(damage.file, manifest)
            raise ArchiveUnavailable(
                f"{damage.file} was written and cannot be read back: {damage.reason}. It is written again."
                f" If this comes again, look at the disk or the network of {tools.place.name}.",
            )

    def _forget(self, path: str, manifest: PhysicalManifest) -> None:
        shards = [shard for bucket in manifest.buckets for shard in bucket.shards]
        damaged = [shard.shard_id for shard in shards if f"/{shard.file.name}" in path]
        for shard_id in damaged:
            self._progress.forget_shard(shard_id)
        if not damaged:
            self._progress.forget_metadata()

    def _small_files(self, plain: bytes, counts: dict[str, BucketCounts]) -> Iterator[OtherFile]:
        tools = self._tools
        yield tools.write(COUNTS_FILE, iter([written_counts(counts)]))
        yield tools.write(physical_manifest.manifest_name(tools.base), iter([plain]))
        if self._key_pair is not None:
            yield tools.place.key_file(tools.backup_id, self._key_pair)

    def _finish(self, metadata: DownloadedMetadata, files: list[OtherFile], shards: _Shards) -> Manifest:
        tools = self._tools
        missing = (*missing_buckets(self._options, metadata), *missing_shards(shards.refused, metadata))
        for part in missing:
            tools.log("error", f"{part.bucket}: {part.reason}. It is missing in the backup.")
        own = [entry for entry in metadata.buckets if self._is_own(entry) and not is_system(entry["bucketName"])]
        manifest = Manifest(
            backup_id=tools.backup_id,
            kind=BackupKind.PHYSICAL,
            state=BackupState.PARTIAL if missing else BackupState.COMPLETE,
            tool_version=__version__,
            server=self._store.server(),
            created_ns=self._created_ns,
            finished_ns=max(self._created_ns, math.floor(self._clock() * 1e9)),
            comment=self._options.comment,
            recipients=() if self._key_pair is None else (self._key_pair.recipient,),
            buckets=tuple(BucketBackup(with_details(self._store, metadata_of(entry), tools), EVER) for entry in own),
            files=tuple(files),
            missing=missing,
            not_covered=tuple(not_covered(self._options, shards.gone)),
        )
        tools.job.check()
        catalog.finish(tools.place.destination, manifest, tools.place.key)
        self._progress.clear()
        return manifest
