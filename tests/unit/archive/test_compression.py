"""Pieces come back as they were, programs read the whole as one text, and nothing unpacks to more than it may."""

import gzip
import shutil
import subprocess
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.archive.compression import LARGEST_PIECE_BYTES, NotPacked, Packing, packed, unpacked

BOTH = pytest.mark.parametrize("packing", list(Packing))
PIECES = [b"m f=1 1\n" * 1000, b'm f="a\nb" 2\n', b"m f=3 3\n" * 50_000]


def split(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@BOTH
@given(pieces=st.lists(st.binary(min_size=1, max_size=2000), max_size=6), size=st.integers(1, 3000))
def test_pieces_come_back_however_their_bytes_arrive(packing: Packing, pieces: list[bytes], size: int) -> None:
    data = b"".join(packed(pieces, packing))
    assert list(unpacked(split(data, size), packing, sum(map(len, pieces)))) == pieces


@BOTH
def test_the_same_pieces_give_the_same_bytes(packing: Packing) -> None:
    assert list(packed(PIECES, packing)) == list(packed(PIECES, packing))


def test_gzip_has_no_time_and_is_one_text_to_others() -> None:
    data = b"".join(packed(PIECES, Packing.GZIP))
    assert data[4:8] == b"\0\0\0\0"
    assert gzip.decompress(data) == b"".join(PIECES)
    command = shutil.which("gzip")
    assert command is not None
    shown = subprocess.run([command, "-dc"], input=data, capture_output=True, timeout=60, check=True).stdout
    assert shown == b"".join(PIECES)


def test_zstd_is_one_text_to_others(tmp_path: Path) -> None:
    path = tmp_path / "slice.zst"
    path.write_bytes(b"".join(packed(PIECES, Packing.ZSTD)))
    assert pa.CompressedInputStream(pa.OSFile(str(path)), "zstd").read() == b"".join(PIECES)
    command = shutil.which("zstd")
    if command is not None:
        shown = subprocess.run([command, "-dc", str(path)], capture_output=True, timeout=60, check=True).stdout
        assert shown == b"".join(PIECES)


@BOTH
def test_what_is_cut_anywhere_or_changed_anywhere_is_found(packing: Packing) -> None:
    data = b"".join(packed([b"m f=1 1\n" * 20, b"m f=2 2\n" * 20], packing))
    ends = {0, len(next(iter(packed([b"m f=1 1\n" * 20], packing))))}
    for stop in set(range(len(data))) - ends:
        with pytest.raises(NotPacked):
            list(unpacked([data[:stop]], packing, 1000))


@BOTH
def test_more_than_was_said_is_refused(packing: Packing) -> None:
    data = b"".join(packed([b"x" * 100, b"y" * 100], packing))
    assert len(list(unpacked([data], packing, 200))) == 2
    with pytest.raises(NotPacked, match="more than the 199 bytes"):
        list(unpacked([data], packing, 199))


def test_a_gzip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(bomb.compress(b"\0" * 1_000_000) for _ in range(200)) + bomb.flush()
    assert len(data) < 300_000
    with pytest.raises(NotPacked, match=f"more than {LARGEST_PIECE_BYTES} bytes"):
        list(unpacked([data], Packing.GZIP, 10**12))


def test_a_zstd_bomb_is_refused_by_the_size_that_it_names() -> None:
    frame = pa.Codec("zstd").compress(b"\0" * 200_000_000, asbytes=True)
    head = (0x184D2A50).to_bytes(4, "little") + (8).to_bytes(4, "little")
    honest = head + len(frame).to_bytes(4, "little") + (200_000_000).to_bytes(4, "little") + frame
    with pytest.raises(NotPacked, match=f"more than {LARGEST_PIECE_BYTES} bytes"):
        list(unpacked([honest], Packing.ZSTD, 10**12))
    lying = head + len(frame).to_bytes(4, "little") + (1000).to_bytes(4, "little") + frame
    with pytest.raises(NotPacked, match="zstd does not unpack it"):
        list(unpacked([lying], Packing.ZSTD, 10**12))
    short = pa.Codec("zstd").compress(b"abc", asbytes=True)
    longer = head + len(short).to_bytes(4, "little") + (4).to_bytes(4, "little") + short
    with pytest.raises(NotPacked):
        list(unpacked([longer], Packing.ZSTD, 10**12))


def test_zstd_without_sizes_is_refused() -> None:
    with pytest.raises(NotPacked, match="no sizes before a zstd frame"):
        list(unpacked([pa.Codec("zstd").compress(b"x" * 1000, asbytes=True)], Packing.ZSTD, 1000))


@BOTH
def test_garbage_behind_the_last_piece_is_found(packing: Packing) -> None:
    data = b"".join(packed([b"x" * 100], packing))
    for garbage in (b"\0", b"garbage that is longer than a head"):
        with pytest.raises(NotPacked):
            list(unpacked([data, garbage], packing, 1000))


def test_extensions_say_the_packing() -> None:
    assert [packing.extension for packing in Packing] == ["lp.gz", "lp.zst"]
