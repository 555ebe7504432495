"""What a physical backup under way has finished, so that a run that goes on does not download it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.archive.json_members import Members
from service.archive.manifest import OtherFile
from service.archive.physical_counts import BucketCounts, counts_of
from service.archive.physical_manifest import FileCompression, PhysicalFile
from service.jobs.backup.finished_files import FinishedFiles
from service.state.database import StateDatabase

Document = Mapping[str, Any]


@dataclass(frozen=True)
class DownloadedFile:
    """A file as the manifest of the command line names it (`plain`), and as it lies in the backup (`stored`)."""

    plain: PhysicalFile
    stored: OtherFile

    def document(self) -> dict[str, Any]:
        stored = self.stored
        return {
            "name": self.plain.name,
            "plain_size": self.plain.size,
            "file": stored.file,
            "backup": stored.backup,
            "size": stored.size,
            "sha256": stored.sha256,
        }

    @classmethod
    def of(cls, value: object, place: str) -> "DownloadedFile":
        with Members(value, place) as members:
            plain = PhysicalFile(members.text("name"), members.number("plain_size", 0), FileCompression.GZIP)
            file, backup = members.text("file"), members.text("backup")
            return cls(plain, OtherFile(file, backup, members.number("size", 0), members.text("sha256")))


@dataclass(frozen=True)
class DownloadedMetadata:
    """The stores of the server, and the entries of the buckets that are backed up, all as of one moment."""

    kv: DownloadedFile
    sql: DownloadedFile
    buckets: tuple[Document, ...]

    def document(self) -> dict[str, Any]:
        return {"kv": self.kv.document(), "sql": self.sql.document(), "buckets": list(self.buckets)}

    @classmethod
    def of(cls, value: Document) -> "DownloadedMetadata":
        kv, sql = (DownloadedFile.of(value[name], name) for name in ("kv", "sql"))
        return cls(kv, sql, tuple(value["buckets"]))


class PhysicalProgress:
    """Of one backup. Each thing is noted after its file is durable. Threads may share it."""

    def __init__(self, database: StateDatabase, place: str, backup_id: str) -> None:
        self._finished: FinishedFiles[Document] = FinishedFiles(
            database,
            place,
            backup_id,
            write=dict,
            read=lambda value, _: value,
        )

    def metadata(self) -> DownloadedMetadata | None:
        known = self._finished.finished("metadata")
        return None if known is None else DownloadedMetadata.of(known)

    def note_metadata(self, metadata: DownloadedMetadata) -> None:
        self._finished.note("metadata", metadata.document())

    def forget_metadata(self) -> None:
        self._finished.forget("metadata")

    def counts(self) -> dict[str, BucketCounts] | None:
        known = self._finished.finished("counts")
        return None if known is None else {name: counts_of(value, name) for name, value in known.items()}

    def note_counts(self, counts: Mapping[str, BucketCounts]) -> None:
        self._finished.note("counts", {name: bucket.document() for name, bucket in counts.items()})

    def shard(self, shard_id: int) -> DownloadedFile | None:
        known = self._finished.finished(f"shard/{shard_id}")
        return None if known is None else DownloadedFile.of(known, f"shard {shard_id}")

    def note_shard(self, shard_id: int, file: DownloadedFile) -> None:
        self._finished.note(f"shard/{shard_id}", file.document())

    def forget_shard(self, shard_id: int) -> None:
        self._finished.forget(f"shard/{shard_id}")

    def clear(self) -> None:
        """The backup has its manifest, or was given up."""
        self._finished.clear()
