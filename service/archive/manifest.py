"""What a manifest says of a backup: its state, its buckets with their slices, and where each file really lies.

Values only; they cannot be built so that they contradict themselves. Times are ns since 1970, ranges half-open.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from service.archive.backup_ids import sequence_of
from service.archive.compression import Packing
from service.archive.paths import wrong_path
from service.domain.bucket_details import DbrpMapping, Label
from service.domain.timerange import TimeRange
from service.frames.slice_digest import SliceDigest

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
STARTED_FILE = "started.json"
FAILED_FILE = "failed.json"
UPLOADED_FILE = "uploaded.json"
RESERVED = (MANIFEST_FILE, STARTED_FILE, FAILED_FILE, UPLOADED_FILE)
"""Files of a backup that no manifest lists."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = 1 << 64


class BackupKind(StrEnum):
    """Logical: points as line protocol. Physical: the files of an InfluxDB, in the layout of its command line."""

    LOGICAL = "logical"
    PHYSICAL = "physical"


class BackupState(StrEnum):
    """Complete: everything that was asked for. Partial: some of it is missing, and the manifest says what and why."""

    COMPLETE = "complete"
    PARTIAL = "partial"


@dataclass(frozen=True)
class Missing:
    """What a partial backup lacks: of a bucket, or of no one in particular (""), in `span`, or altogether (None)."""

    bucket: str
    span: TimeRange | None
    reason: str


@dataclass(frozen=True)
class NotCovered:
    """What this kind of backup leaves out by nature: tasks, dashboards, tokens. `names` when they are known."""

    what: str
    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class BucketMetadata:
    """What a restore makes a bucket of. `retention_ns` 0 keeps everything."""

    name: str
    description: str
    retention_ns: int
    shard_ns: int
    labels: tuple[Label, ...] = ()
    mappings: tuple[DbrpMapping, ...] = ()


@dataclass(frozen=True)
class SliceFile:
    """The points of a bucket in `span`, which are at least one, in a file of line protocol.

    `file` is its path below the backup `backup`, where it really lies. `size` and `sha256` are of the file as it lies
    there, `text_bytes` of its lines. `points` counts lines, the digest counts values; `first_ns` and `last_ns` are the
    times of the first and last point.
    """

    span: TimeRange
    file: str
    backup: str
    packing: Packing
    encrypted: bool
    size: int
    sha256: str
    text_bytes: int
    points: int
    first_ns: int
    last_ns: int
    digest: SliceDigest

    def __post_init__(self) -> None:
        _demand(_wrong_file(self.file, self.backup, self.size, self.sha256))
        if not 1 <= self.points <= self.digest.count or self.text_bytes < self.points:
            raise ValueError(f"{self.file} counts its points, values and bytes wrongly")
        if not self.span.start_ns <= self.first_ns <= self.last_ns < self.span.stop_ns:
            raise ValueError(f"{self.file} has points outside its range")
        lanes = (*self.digest.series, *self.digest.values)
        if not all(0 <= lane < _WORD for lane in lanes):
            raise ValueError(f"{self.file} has no digest")

    @property
    def path(self) -> str:
        """Where it lies in the destination."""
        return f"{self.backup}/{self.file}"


@dataclass(frozen=True)
class OtherFile:
    """A file of a backup that is no slice: of a physical backup, a copy as Parquet, the key file."""

    file: str
    backup: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        _demand(_wrong_file(self.file, self.backup, self.size, self.sha256))

    @property
    def path(self) -> str:
        """Where it lies in the destination."""
        return f"{self.backup}/{self.file}"


@dataclass(frozen=True)
class BucketBackup:
    """A bucket and what was taken of it: every point in `span` is in `slices` (by time), or `missing` in the manifest.

    `sealed`: closed ranges that were proven; their files are not read again by later runs.
    """

    metadata: BucketMetadata
    span: TimeRange
    slices: tuple[SliceFile, ...] = ()
    sealed: tuple[TimeRange, ...] = ()

    def __post_init__(self) -> None:
        spans = [entry.span for entry in self.slices]
        if any(later.start_ns < earlier.stop_ns for earlier, later in pairwise(spans)):
            raise ValueError(f"the slices of the bucket {self.metadata.name!r} overlap, or are out of order")
        if any(span.intersect(self.span) != span for span in (*spans, *self.sealed)):
            raise ValueError(f"the bucket {self.metadata.name!r} has slices or sealed ranges outside its range")

    @property
    def points(self) -> int:
        return sum(entry.points for entry in self.slices)


@dataclass(frozen=True)
class Manifest:
    """A finished backup. `server`: the kind and version of the store. `recipients`: who can decrypt its own files.

    A complete one lacks nothing; a partial one says what is `missing`. References lead to earlier backups only.
    """

    backup_id: str
    kind: BackupKind
    state: BackupState
    tool_version: str
    server: str
    created_ns: int
    finished_ns: int
    comment: str = ""
    recipients: tuple[str, ...] = ()
    buckets: tuple[BucketBackup, ...] = ()
    files: tuple[OtherFile, ...] = ()
    missing: tuple[Missing, ...] = ()
    not_covered: tuple[NotCovered, ...] = ()

    def __post_init__(self) -> None:
        if sequence_of(self.backup_id) is None:
            raise ValueError(f"{self.backup_id[:100]!r} is no id of a backup")
        if (self.state is BackupState.COMPLETE) != (not self.missing):
            raise ValueError(f"it is {self.state}, and names {len(self.missing)} missing parts")
        if self.finished_ns < self.created_ns:
            raise ValueError("it was finished before it was begun")
        _demand(_duplicate("bucket", (bucket.metadata.name for bucket in self.buckets)))
        _demand(_duplicate("file", (entry.path for entry in self.entries)))
        for entry in self.entries:
            if entry.backup != self.backup_id and (sequence_of(entry.backup) or 0) >= self.sequence:
                raise ValueError(f"{entry.path} lies in a backup that is not older")

    @property
    def sequence(self) -> int:
        return sequence_of(self.backup_id) or 0

    @property
    def entries(self) -> tuple[SliceFile | OtherFile, ...]:
        """Every file that belongs to the backup, wherever it lies."""
        return (*(entry for bucket in self.buckets for entry in bucket.slices), *self.files)

    @property
    def references(self) -> frozenset[str]:
        """The older backups in which files of this one lie."""
        return frozenset(entry.backup for entry in self.entries) - {self.backup_id}

    @property
    def size(self) -> int:
        """Bytes of its files, those in older backups too."""
        return sum(entry.size for entry in self.entries)

    @property
    def own_size(self) -> int:
        """Bytes of its files that lie in its own folder."""
        return sum(entry.size for entry in self.entries if entry.backup == self.backup_id)


def _wrong_file(file: str, backup: str, size: int, sha256: str) -> str | None:
    reason = wrong_path(file)
    if reason is not None:
        return f"{file[:200]!r} is no path inside a backup: {reason}"
    if file in RESERVED:
        return f"{file} is not a file of points"
    if sequence_of(backup) is None:
        return f"{file} lies in {backup[:100]!r}, which is no id of a backup"
    if size < 0 or not _SHA256.fullmatch(sha256):
        return f"{file} has no size and SHA-256"
    return None


def _duplicate(what: str, names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return f"it names the {what} {name!r} twice"
        seen.add(name)
    return None


def _demand(reason: str | None) -> None:
    if reason is not None:
        raise ValueError(reason)
