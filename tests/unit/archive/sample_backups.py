"""Backups to test with: a small one of two buckets, as a job would make it, and manifests that hypothesis invents."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from hypothesis import strategies as st

from service.archive import catalog
from service.archive.backup_ids import backup_id
from service.archive.compression import Packing
from service.archive.destination import Destination
from service.archive.encryption import Encrypter
from service.archive.manifest import (
    BackupKind,
    BackupState,
    BucketBackup,
    BucketMetadata,
    DbrpMapping,
    Label,
    Manifest,
    Missing,
    NotCovered,
    OtherFile,
    SliceFile,
)
from service.archive.paths import slice_path
from service.archive.slice_files import write_file, write_slice
from service.domain.durations import DAY_NS
from service.domain.schema import FieldType
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.frames.slice_digest import SliceDigest
from tests.support.sample_blocks import Row, block_of

NOW = 1_769_900_000_000_000_000
DAY_1 = TimeRange(20_000 * DAY_NS, 20_001 * DAY_NS)
DAY_2 = TimeRange(20_001 * DAY_NS, 20_002 * DAY_NS)
BOTH_DAYS = TimeRange(DAY_1.start_ns, DAY_2.stop_ns)
KEY = b"a key of sixteen bytes or more"


def rows_of_day(day: TimeRange, measurement: str, count: int = 50) -> list[Row]:
    tags = (("host", "a b"), ("line", "1,2"))
    floats = [Row(day.start_ns + place, place / 7, "power", measurement, tags) for place in range(count)]
    words = [(day.start_ns + place, f'say "{place}"\nagain') for place in range(count)]
    texts = [Row(time_ns, text, "note", measurement, type=FieldType.STRING) for time_ns, text in words]
    return [*floats, *texts]


def bucket_metadata(name: str) -> BucketMetadata:
    labels = (Label("critical", (("color", "#ff0000"),)),)
    return BucketMetadata(name, f"of {name}", 30 * DAY_NS, DAY_NS, labels, (DbrpMapping("db", "autogen", True),))


def written_slice(
    destination: Destination,
    backup: str,
    number: int,
    bucket: str,
    day: TimeRange,
    packing: Packing = Packing.GZIP,
    encrypter: Encrypter | None = None,
) -> SliceFile:
    path = slice_path(number, bucket, day, packing.extension)
    blocks = [block_of(rows_of_day(day, bucket))]
    entry = write_slice(destination, backup, path, day, blocks, packing, encrypter).entry
    assert entry is not None
    return entry


def made_backup(
    destination: Destination,
    key: bytes | None = None,
    packing: Packing = Packing.GZIP,
    encrypter: Encrypter | None = None,
    change: Callable[[Manifest], Manifest] = lambda manifest: manifest,
) -> Manifest:
    """A complete backup of two buckets of two days each, with a further file."""
    backup = catalog.begin(destination, NOW)
    buckets = tuple(
        BucketBackup(
            bucket_metadata(name),
            BOTH_DAYS,
            tuple(written_slice(destination, backup, number, name, day, packing, encrypter) for day in (DAY_1, DAY_2)),
        )
        for number, name in enumerate(("plant a/b", "..🚜"), start=1)
    )
    manifest = Manifest(
        backup_id=backup,
        kind=BackupKind.LOGICAL,
        state=BackupState.COMPLETE,
        tool_version="0.1.0",
        server="InfluxDB v2.9.1",
        created_ns=NOW,
        finished_ns=NOW + 1,
        comment="before the move",
        recipients=() if encrypter is None else encrypter.recipients,
        buckets=buckets,
        files=(write_file(destination, backup, "notes.txt", [b"notes", b" of the backup"]),),
        not_covered=(NotCovered("tasks", ("downsample",), "the data alone is backed up"),),
    )
    manifest = change(manifest)
    catalog.finish(destination, manifest, key)
    return manifest


def with_slices(manifest: Manifest, change: Callable[[SliceFile], SliceFile]) -> Manifest:
    """The manifest with every slice changed."""
    slices = [tuple(change(entry) for entry in bucket.slices) for bucket in manifest.buckets]
    pairs = zip(manifest.buckets, slices, strict=True)
    return replace(manifest, buckets=tuple(replace(bucket, slices=changed) for bucket, changed in pairs))


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
_lanes = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@st.composite
def _slices(draw: st.DrawFn, backup: str, place: int, span: TimeRange) -> SliceFile:
    first_ns = draw(st.integers(span.start_ns, span.stop_ns - 1))
    points = draw(st.integers(1, 10**6))
    return SliceFile(
        span=span,
        file=slice_path(place, "b", span, "lp.gz"),
        backup=draw(st.sampled_from([backup, backup_id(1, 0)])),
        packing=draw(st.sampled_from(list(Packing))),
        encrypted=draw(st.booleans()),
        size=draw(st.integers(0, 10**12)),
        sha256=draw(_hashes),
        text_bytes=draw(st.integers(points, 10**12)),
        points=points,
        first_ns=first_ns,
        last_ns=draw(st.integers(first_ns, span.stop_ns - 1)),
        digest=SliceDigest(draw(st.integers(points, 10**9)), draw(_lanes), draw(_lanes)),
    )


@st.composite
def _buckets(draw: st.DrawFn, backup: str, place: int, name: str) -> BucketBackup:
    edges = draw(st.lists(st.integers(EARLIEST_NS, LATEST_NS), min_size=2, max_size=6, unique=True).map(sorted))
    whole = TimeRange(edges[0], edges[-1])
    spans = [TimeRange(start, stop) for start, stop in pairwise(edges)]
    chosen = [span for span in spans if draw(st.booleans())]
    label = st.builds(Label, words, st.dictionaries(words, words, max_size=2).map(lambda d: tuple(sorted(d.items()))))
    metadata = BucketMetadata(
        name=name,
        description=draw(words),
        retention_ns=draw(st.integers(0, 2**63 - 1)),
        shard_ns=draw(st.integers(1, 2**63 - 1)),
        labels=tuple(draw(st.lists(label, max_size=2))),
        mappings=tuple(draw(st.lists(st.builds(DbrpMapping, words, words, st.booleans()), max_size=2))),
    )
    slices = tuple(draw(_slices(backup, place, span)) for span in chosen)
    return BucketBackup(metadata, whole, slices, tuple(spans[:1]))


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest there can be, small."""
    backup = backup_id(draw(st.integers(2, 99_999_999)), draw(st.integers(0, 2**62)))
    names = draw(st.lists(words, max_size=3, unique=True))
    missing = st.builds(Missing, words, st.sampled_from([None, DAY_1]), words)
    partial = tuple(draw(st.lists(missing, max_size=2)))
    created_ns = draw(st.integers(0, 2**62))
    return Manifest(
        backup_id=backup,
        kind=draw(st.sampled_from(list(BackupKind))),
        state=BackupState.PARTIAL if partial else BackupState.COMPLETE,
        tool_version=draw(words),
        server=draw(words),
        created_ns=created_ns,
        finished_ns=created_ns + draw(st.integers(0, 10**12)),
        comment=draw(words),
        recipients=tuple(draw(st.lists(words, max_size=2))),
        buckets=tuple(draw(_buckets(backup, place, name)) for place, name in enumerate(names)),
        files=tuple(OtherFile(f"x{place}", backup, place, draw(_hashes)) for place in range(draw(st.integers(0, 2)))),
        missing=partial,
        not_covered=tuple(draw(st.lists(st.builds(NotCovered, words, st.lists(words).map(tuple), words), max_size=2))),
    )
