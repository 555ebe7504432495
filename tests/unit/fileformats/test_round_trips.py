"""What is exported is imported as it was: every type, bit, nanosecond and name, in each exact format."""

import io
import math

import pytest
from hypothesis import example, given

from service.encoding.encoders import Format, encode
from service.errors import UnwritablePoint
from service.fileformats.annotated_csv import AnnotatedCsv
from service.fileformats.column_roles import TableForm
from service.fileformats.lines import line_pieces
from service.fileformats.parquet_files import ParquetRows
from service.fileformats.pieces import Piece, Position
from service.lineprotocol.writer import write_block
from tests.support.imported import Point, bits, points_of, rejects_of, source_of
from tests.support.sample_blocks import Row, block_of, hostile_rows, layout, plan_of

START = Position()


def read_again(data: bytes, form: Format) -> list[Piece]:
    if not data:
        return []
    match form:
        case Format.LINE_PROTOCOL:
            return list(line_pieces(source_of(data), START, "ns", 0))
        case Format.ANNOTATED_CSV:
            return list(AnnotatedCsv(source_of(data), None, START).pieces())
    return list(ParquetRows("file", io.BytesIO(data), TableForm(), START).pieces())


def point_of(row: Row) -> Point:
    return (row.measurement, tuple(sorted(row.tags)), row.field, row.type.value, row.time_ns, bits(row.value))


def unwritable(rows: list[Row]) -> set[tuple[object, ...]]:
    """The points that no line holds, without their values."""
    written = write_block(block_of(rows))
    return {
        (value.series.measurement, value.series.tags, value.series.field, value.series.type.value, int(time_ns))
        for value in written.unwritable
        for time_ns in value.times_ns
    }


@pytest.mark.parametrize("form", [Format.LINE_PROTOCOL, Format.ANNOTATED_CSV, Format.PARQUET])
@example(rows=[Row(0, math.inf, tags=(("t", "new\nline"),))])
@given(rows=hostile_rows())
def test_an_export_that_is_imported_gives_the_same_points(form: Format, rows: list[Row]) -> None:
    without = unwritable(rows)
    if form is Format.LINE_PROTOCOL:
        rows = [row for row in rows if point_of(row)[:5] not in without]
        without = set()
    data = b"".join(encode(iter([block_of(rows)]), plan_of(rows), layout(form)))
    pieces = read_again(data, form)
    assert points_of(pieces) == {point_of(row) for row in rows if point_of(row)[:5] not in without}
    assert len(rejects_of(pieces)) == len(without)


def test_line_protocol_names_a_point_that_it_cannot_hold_before_anything_is_sent() -> None:
    rows = [Row(1, 1.0, tags=(("k", "ends with \\"),))]
    with pytest.raises(UnwritablePoint, match="the tag 'k'"):
        list(encode(iter([block_of(rows)]), plan_of(rows), layout(Format.LINE_PROTOCOL)))


def test_behind_lines_that_are_sent_a_comment_says_why_the_answer_ends() -> None:
    good, wrong = [Row(1, 1.0)], [Row(2, float("nan"))]
    chunks, sent = encode(iter([block_of(good), block_of(wrong)]), plan_of(good), layout(Format.LINE_PROTOCOL)), b""
    with pytest.raises(UnwritablePoint, match="NaN"):
        for chunk in chunks:
            sent += chunk
    first, comment = sent.decode().splitlines()
    assert first == "m f=1 1"
    assert comment.startswith("# not complete: Line protocol cannot hold the point at 1970-01-01T00:00:00.000000002Z")


def test_a_limit_counts_lines_and_rows() -> None:
    rows = [Row(number, float(number)) for number in range(5)]
    for form, ends in ((Format.LINE_PROTOCOL, b"m f=1 1\n"), (Format.ANNOTATED_CSV, b",1,f,m\n")):
        assert b"".join(encode(iter([block_of(rows)]), plan_of(rows), layout(form), limit=2)).endswith(ends)
