"""What is written of a slice comes back value for value, in bounded memory; what line protocol cannot hold is said."""

import gzip
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from service.archive.compression import PIECE_BYTES, Packing
from service.archive.destination import Destination
from service.archive.encryption import Decrypter, Encrypter
from service.archive.local_folder import LocalFolder
from service.archive.manifest import SliceFile
from service.archive.point_frames import frames_of
from service.archive.slice_files import WrittenSlice, read_slice, read_texts, write_slice
from service.archive.slice_text import SliceMeter
from service.domain.schema import FieldType
from service.domain.timerange import EVER, TimeRange
from service.errors import ArchiveFileMissing, ArchiveKeyRefused, BackupDamaged, StoreBroken
from service.frames.frame import TIME, Block, constant_codes, long_schema
from service.frames.slice_digest import SliceDigest, SliceDigester
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.writer import write_block
from tests.support.age_keys import recipient_of
from tests.support.sample_blocks import Row, block_of, hostile_rows
from tests.unit.archive.sample_backups import DAY_1, rows_of_day
from tests.unit.archive.test_destination import content
from tests.unit.archive.test_encryption import IDENTITY, OTHER
from tests.unit.lineprotocol.test_writer import unwritten_of, value_of, values_of, writable

PACKINGS = pytest.mark.parametrize("packing", list(Packing))
ENCRYPTERS = pytest.mark.parametrize("encrypter", [None, Encrypter((recipient_of(IDENTITY),))], ids=["plain", "age"])
BACKUP = "00000001-20260131T000000Z"
DECRYPTER = Decrypter((IDENTITY,))


def whole_digest(*blocks: Block) -> SliceDigest:
    digester = SliceDigester(1 << 62)
    for block in blocks:
        for frame in block:
            digester.add(frame)
    return sum(digester.slices.values(), SliceDigest())


def entry_of(written: WrittenSlice) -> SliceFile:
    assert written.entry is not None
    assert (written.unwritable, written.unwritable_values) == ((), 0)
    return written.entry


@ENCRYPTERS
@PACKINGS
def test_points_come_back_value_for_value(
    destination: Destination,
    packing: Packing,
    encrypter: Encrypter | None,
) -> None:
    rows = rows_of_day(DAY_1, "m")
    entry = entry_of(write_slice(destination, BACKUP, "f", DAY_1, [block_of(rows)], packing, encrypter))
    values = [value for points in read_slice(destination, entry, DECRYPTER) for value in values_of(points)]
    assert sorted(values, key=repr) == sorted(map(value_of, rows), key=repr)
    assert (entry.points, entry.digest) == (100, whole_digest(block_of(rows)))
    assert (entry.first_ns, entry.last_ns) == (DAY_1.start_ns, DAY_1.start_ns + 49)
    assert (entry.packing, entry.encrypted) == (packing, encrypter is not None)
    assert entry.size == destination.size(f"{BACKUP}/f")
    assert entry.text_bytes == sum(map(len, read_texts(destination, entry, DECRYPTER)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(hostile_rows())
def test_any_values_come_back_or_are_said_to_be_unwritten(folder: LocalFolder, rows: list[Row]) -> None:
    written = write_slice(folder, BACKUP, "f", EVER, [block_of(rows)])
    batches = [] if written.entry is None else list(read_slice(folder, written.entry))
    read = [value for points in batches for value in values_of(points)]
    unwritten = unwritten_of(written)  # type: ignore[arg-type]
    assert sorted([*read, *unwritten], key=repr) == sorted(map(value_of, rows), key=repr)
    assert written.unwritable_values == len(unwritten)
    assert {fact for fact in map(value_of, filter(writable, rows)) if fact[3] is not FieldType.FLOAT} <= {
        *read,
        *unwritten,
    }


def test_a_slice_without_points_has_no_file(folder: LocalFolder) -> None:
    assert write_slice(folder, BACKUP, "f", DAY_1, []) == WrittenSlice(None, (), 0)
    assert folder.size(f"{BACKUP}/f") is None


def test_values_that_no_line_can_hold_are_counted_and_the_rest_is_whole(folder: LocalFolder) -> None:
    bad = [Row(DAY_1.start_ns + place, float("nan")) for place in range(3)]
    good = Row(DAY_1.start_ns + 9, 1.5)
    written = write_slice(folder, BACKUP, "f", DAY_1, [block_of([*bad, good])])
    assert written.unwritable_values == 3
    assert [len(group) for group in written.unwritable] == [3]
    assert written.entry is not None
    assert (written.entry.points, written.entry.digest) == (1, whole_digest(block_of([good])))
    assert [len(points) for points in read_slice(folder, written.entry)] == [1]
    nothing = write_slice(folder, BACKUP, "g", DAY_1, [block_of(bad)])
    assert (nothing.entry, nothing.unwritable_values) == (None, 3)


def test_the_file_is_line_protocol_that_gzip_opens(folder: LocalFolder) -> None:
    rows = [
        Row(DAY_1.start_ns, 1.5, "f", "m x", (("k", "v"),)),
        Row(DAY_1.start_ns + 1, 'a"\nb', "t", "m x", (), FieldType.STRING),
    ]
    entry = entry_of(write_slice(folder, BACKUP, "f", DAY_1, [block_of(rows)]))
    first, second = f"m\\ x,k=v f=1.5 {DAY_1.start_ns}\n", f'm\\ x t="a\\"\nb" {DAY_1.start_ns + 1}\n'
    assert gzip.decompress(content(folder, entry.path)).decode() == first + second


@PACKINGS
def test_the_same_blocks_give_the_same_file(folder: LocalFolder, packing: Packing) -> None:
    blocks = [block_of(rows_of_day(DAY_1, "m"))]
    files = [entry_of(write_slice(folder, BACKUP, name, DAY_1, blocks, packing)) for name in ("one", "two")]
    assert files[0].sha256 == files[1].sha256


def test_a_point_outside_the_range_is_refused_and_leaves_no_file(folder: LocalFolder) -> None:
    for time_ns in (DAY_1.start_ns - 1, DAY_1.stop_ns):
        with pytest.raises(StoreBroken, match=r"The store sent a point of .* outside the range"):
            write_slice(folder, BACKUP, "f", DAY_1, [block_of([Row(time_ns, 1.0)])])
    assert list(folder.files(BACKUP)) == []


def test_a_store_that_breaks_off_leaves_no_file(folder: LocalFolder) -> None:
    def breaking() -> Iterator[Block]:
        for place in range(20):
            times = range(DAY_1.start_ns + place * 5000, DAY_1.start_ns + place * 5000 + 4000)
            yield block_of([Row(time_ns, "x" * 400, "t", type=FieldType.STRING) for time_ns in times])
        raise StoreBroken("the answer stops early")

    for encrypter in (None, Encrypter((recipient_of(IDENTITY),))):
        with pytest.raises(StoreBroken, match="stops early"):
            write_slice(folder, BACKUP, "f", DAY_1, breaking(), encrypter=encrypter)
        assert list(folder.files(BACKUP)) == []


def large_blocks(count: int) -> Iterator[Block]:
    """Blocks of 20,000 points each, made without a row of Python."""
    for place in range(count):
        start_ns = DAY_1.start_ns + place * 100_000
        columns = [
            pa.array(np.arange(start_ns, start_ns + 20_000)).cast(TIME),
            pa.array(np.arange(20_000) / 7),
            *(constant_codes(text, 20_000) for text in ("power", "m", "h")),
        ]
        yield (pa.RecordBatch.from_arrays(columns, schema=long_schema(FieldType.FLOAT, ("host",))),)


@PACKINGS
def test_large_slices_are_pieces_of_whole_lines(folder: LocalFolder, packing: Packing) -> None:
    entry = entry_of(write_slice(folder, BACKUP, "f", DAY_1, large_blocks(20), packing))
    pieces = list(read_texts(folder, entry))
    assert len(pieces) > 3
    assert all(len(piece) <= PIECE_BYTES and piece.endswith(b"\n") and piece.startswith(b"m,") for piece in pieces)
    assert sum(len(parse_lines(piece, "ns", 0).points) for piece in pieces) == 400_000 == entry.points
    assert entry.digest == whole_digest(*large_blocks(20))


def test_one_large_block_is_cut_between_lines(folder: LocalFolder) -> None:
    texts = [Row(DAY_1.start_ns + n, "line\n" * 150_000, "t", type=FieldType.STRING) for n in range(15)]
    entry = entry_of(write_slice(folder, BACKUP, "f", DAY_1, [block_of(texts)]))
    batches = list(read_slice(folder, entry))
    assert len(batches) > 2
    assert sum(map(len, batches)) == 15


def test_memory_is_that_of_a_few_pieces(folder: LocalFolder) -> None:
    entry_of(write_slice(folder, BACKUP, "warm", DAY_1, large_blocks(2)))
    tracemalloc.start()
    entry = entry_of(write_slice(folder, BACKUP, "f", DAY_1, large_blocks(40)))
    for _ in read_slice(folder, entry):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert entry.text_bytes > 30_000_000
    assert peak < 120_000_000


def damaged(folder: LocalFolder, entry: SliceFile) -> str:
    with pytest.raises(BackupDamaged) as found:
        list(read_slice(folder, entry, DECRYPTER))
    assert found.value.file == entry.path
    assert found.value.message == f"{entry.path} is damaged: {found.value.reason}."
    return found.value.reason


def test_what_differs_from_the_manifest_is_found(folder: LocalFolder) -> None:
    entry = entry_of(write_slice(folder, BACKUP, "f", DAY_1, [block_of(rows_of_day(DAY_1, "m"))]))
    other = SliceDigest(entry.digest.count, entry.digest.series, (1, 2))
    assert "another digest" in damaged(folder, replace(entry, digest=other))
    more = replace(entry.digest, count=entry.digest.count + 1)
    assert "another digest" in damaged(folder, replace(entry, digest=more))
    assert "100 points in" in damaged(folder, replace(entry, points=99))
    assert "100 points in" in damaged(folder, replace(entry, text_bytes=entry.text_bytes + 1))
    assert "unpacks to more" in damaged(folder, replace(entry, text_bytes=entry.text_bytes - 1))
    assert "outside the times" in damaged(folder, replace(entry, first_ns=entry.first_ns + 1))
    assert "outside the times" in damaged(folder, replace(entry, last_ns=entry.last_ns - 1))
    assert "SHA-256" in damaged(folder, replace(entry, sha256="0" * 64))
    assert f"it has {entry.size} bytes, not {entry.size + 1}" in damaged(folder, replace(entry, size=entry.size + 1))
    assert "more than its" in damaged(folder, replace(entry, size=entry.size - 1))
    assert "zstd" in damaged(folder, replace(entry, packing=Packing.ZSTD))
    assert "does not decrypt" in damaged(folder, replace(entry, encrypted=True))


def test_lines_that_do_not_parse_are_found(tmp_path: Path, folder: LocalFolder) -> None:
    entry = entry_of(write_slice(folder, BACKUP, "f", DAY_1, [block_of(rows_of_day(DAY_1, "m"))]))
    text = b"m f=1 1\nnot a line\n"
    forged = gzip.compress(text)
    (tmp_path / "backups" / BACKUP / "f").write_bytes(forged)
    assert "a line does not parse" in damaged(folder, replace(entry, size=len(forged), text_bytes=entry.text_bytes))


def test_keys_are_asked_for(folder: LocalFolder) -> None:
    encrypter = Encrypter((recipient_of(IDENTITY),))
    entry = entry_of(write_slice(folder, BACKUP, "f", DAY_1, [block_of(rows_of_day(DAY_1, "m"))], encrypter=encrypter))
    with pytest.raises(ArchiveKeyRefused, match="f is encrypted: give the passphrase"):
        list(read_slice(folder, entry))
    with pytest.raises(ArchiveKeyRefused, match="No key that was given"):
        list(read_slice(folder, entry, Decrypter((OTHER,))))
    with pytest.raises(ArchiveFileMissing):
        list(read_slice(folder, replace(entry, file="gone"), DECRYPTER))


@settings(max_examples=60, deadline=None)
@given(hostile_rows())
def test_parsed_points_have_the_digest_of_the_frames_that_they_came_from(rows: list[Row]) -> None:
    good = [row for row in rows if writable(row) and row.type is not FieldType.STRING and row.value == row.value]
    good = [row for row in good if abs(row.value) != float("inf")]  # type: ignore[arg-type]
    if not good:
        return
    written = write_block(block_of(good))
    meter = SliceMeter()
    meter.add(frames_of(parse_lines(written.points.text, "ns", 0).points))
    sent = SliceMeter()
    sent.add(frames_of(written.points))
    assert meter.total == sent.total
    if not written.unwritable:
        assert meter.total == whole_digest(block_of(good))


def test_ranges_may_touch_the_ends_of_time(folder: LocalFolder) -> None:
    ends = [Row(EVER.start_ns, 1.0), Row(EVER.stop_ns - 1, -0.0)]
    entry = entry_of(write_slice(folder, BACKUP, "f", EVER, [block_of(ends)]))
    assert (entry.first_ns, entry.last_ns) == (EVER.start_ns, EVER.stop_ns - 1)
    assert sum(map(len, read_slice(folder, entry))) == 2
    one = TimeRange(5, 6)
    assert entry_of(write_slice(folder, BACKUP, "g", one, [block_of([Row(5, 1.0)])])).points == 1
