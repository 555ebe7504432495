"""Files are unpacked by their content, and what stands before damage is read."""

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pytest

from service.archive.compression import Packing, packed
from service.errors import FileRefused
from service.fileformats.lines import line_pieces
from service.fileformats.pieces import Position
from service.fileformats.text_blocks import LONGEST_RECORD_BYTES
from service.fileformats.unpacking import ByteSource, opened
from tests.support.imported import rejects_of, source_of

TEXT = b"".join(b"m,host=h%d f=%d %d\n" % (number % 7, number * 7919, number) for number in range(50_000))


def whole(data: bytes) -> bytes:
    source, pieces = source_of(data), []
    while piece := source.read(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


ZSTD = pa.Codec("zstd").compress(TEXT, asbytes=True)
FORMS = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip members": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + b"\0" * 512,
    "zstd": ZSTD,
    "zstd frames": pa.Codec("zstd").compress(TEXT[:1000], asbytes=True) + b"".join(packed([TEXT[1000:]], Packing.ZSTD)),
    "own gzip": b"".join(packed([TEXT[:1000], TEXT[1000:]], Packing.GZIP)),
    "own zstd": b"".join(packed([TEXT[:1000], TEXT[1000:]], Packing.ZSTD)),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_the_content_says_how_a_file_is_packed(form: str) -> None:
    assert whole(FORMS[form]) == TEXT


@pytest.mark.parametrize("form", list(FORMS))
def test_a_place_is_found_again(form: str) -> None:
    source = source_of(FORMS[form])
    source.peek(100)
    source.skip(300_000)
    assert source.read(20) == TEXT[300_000:300_020]


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_the_lines_before_damage_are_read_and_the_damage_says_where_it_is(form: str) -> None:
    cut = FORMS[form][: len(FORMS[form]) * 2 // 3]
    sent = b""
    with pytest.raises(FileRefused, match=r"file is damaged: .* It was read up to line [\d,]+\."):
        for piece in line_pieces(source_of(cut), Position(), "ns", 0, 50_000):
            sent += piece.text
    assert TEXT.startswith(sent)
    assert sent.endswith(b"\n")
    assert len(sent) > len(TEXT) / 3


def test_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, error in ((tmp_path, "is a folder"), (tmp_path / "empty", "is empty")):
        with pytest.raises(FileRefused, match=error), opened(str(name)):
            pass


def test_an_excel_workbook_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    workbook = tmp_path / "power.xlsx"
    workbook.write_bytes(b"PK\x03\x04" + bytes(100))
    refusal = r"power.xlsx is a ZIP file, as Excel .* Save the table as CSV"
    with pytest.raises(FileRefused, match=refusal), opened(str(workbook)):
        pass


@pytest.mark.parametrize("data", [bytes(range(256)) * 20, "m f=1 1\n".encode("utf-16")])
def test_what_is_no_text_is_refused_before_anything_is_sent(data: bytes) -> None:
    with pytest.raises(FileRefused, match=r"no text|UTF-16"):
        list(line_pieces(source_of(data), Position(), "ns", 0))


def test_a_line_of_30_mb_is_passed_over_and_named() -> None:
    data = b'm f="' + b"x" * 30_000_000 + b'" 1\nm f=2 2\n'
    pieces = list(line_pieces(ByteSource("file", io.BytesIO(data)), Position(), "ns", 0))
    assert [reject.line for reject in rejects_of(pieces)] == [1]
    assert b"".join(piece.text for piece in pieces) == b"m f=2 2\n"
    assert len(data) > LONGEST_RECORD_BYTES


def test_a_line_without_a_time_gets_that_of_the_import_and_a_byte_order_mark_is_dropped() -> None:
    data = b"\xef\xbb\xbf# comment\nm f=1\r\nm f=2 7\n\nm f=3"
    [piece] = line_pieces(source_of(data), Position(), "s", 5_000_000_000)
    assert piece.text == b"# comment\nm f=1 5\r\nm f=2 7\n\nm f=3 5\n"
    assert [piece.line_of(index) for index in range(len(piece))] == [1, 2, 3, 4, 5]
