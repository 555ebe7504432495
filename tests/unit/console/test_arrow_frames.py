"""Rows of an Arrow stream as frames of numbers."""

import pyarrow as pa
import pytest

from service.console.arrow_frames import NumberFrames
from service.domain.schema import FieldType
from service.domain.timerange import TimeRange
from service.encoding.encoders import Format, encode
from service.frames.series_digest import SeriesDigester
from service.pictures.pixel_columns import PixelColumns
from service.pictures.series_points import SeriesCollector
from tests.support.sample_blocks import Row, block_of, layout, plan_of

ROWS = [
    Row(1, 1.5, "power", tags=(("_value", "a"), ("meter", "ü 1"))),
    Row(2, 2.5, "power", tags=(("meter", "2"),)),
    Row(1, 7, "count", type=FieldType.INTEGER),
    Row(1, 2**64 - 1, "count", "other", type=FieldType.UNSIGNED),
    Row(1, "on", "mode", type=FieldType.STRING),
    Row(1, True, "open", type=FieldType.BOOLEAN),
]


def pieces(rows: list[Row], size: int) -> list[bytes]:
    body = b"".join(encode([block_of(rows)], plan_of(rows), layout(Format.ARROW)))
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_numbers_come_back_with_their_series(size: int) -> None:
    frames = NumberFrames(pieces(ROWS, size))
    seen, sent = SeriesDigester(), SeriesDigester()
    for frame in frames:
        seen.add(frame)
    for frame in block_of(ROWS[:4]):
        sent.add(frame)
    assert {(key.tags, key.field, key.type): digest for key, digest in seen.series.items()} == {
        (key.tags, key.field, key.type): digest for key, digest in sent.series.items()
    }
    assert list(frames.left_out) == [("m", "mode"), ("m", "open")]


def test_a_field_whose_type_changes_is_one_line_in_the_order_of_time() -> None:
    rows = [Row(1, 5, type=FieldType.INTEGER), Row(2, 0.5), Row(3, 7, type=FieldType.INTEGER)]
    block = tuple(frame for row in rows for frame in block_of([row]))
    body = b"".join(encode([block], plan_of(rows), layout(Format.ARROW)))
    collector = SeriesCollector(PixelColumns(TimeRange(0, 10), 10))
    for frame in NumberFrames([body]):
        collector.add(frame)
    (line,) = collector.series()
    assert (line.times.tolist(), line.values.tolist()) == ([1, 2, 3], [5.0, 0.5, 7.0])


def test_one_type_has_one_column() -> None:
    assert [frame.num_rows for frame in NumberFrames(pieces(ROWS[:2], 100))] == [2]
    texts = NumberFrames(pieces([ROWS[4]], 100))
    assert list(texts) == [] and list(texts.left_out) == [("m", "mode")]


def test_a_cut_answer_is_no_answer() -> None:
    with pytest.raises((pa.ArrowInvalid, OSError)):
        list(NumberFrames(pieces(ROWS, 100)[:-2]))
