"""Many small frames make the same body as few large ones."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings

from service.upstream.documents import Documents
from service.upstream.merged_frames import merged
from service.upstream.protocol import Batch
from tests.support.sample_blocks import Row, block_of, hostile_rows
from tests.support.upstream_batches import WINDOW, configured, readings
from tests.support.upstream_payloads import READERS


def body(payload: str, frames: Sequence[pa.RecordBatch]) -> bytes:
    document = Documents(configured(payload=payload), lambda *_: None).of(Batch(WINDOW, 0, frames))
    return document.body(range(len(document))) if len(document) else b""


@pytest.mark.parametrize("payload", ["sensors", "ndjson", "thingsboard", "lineprotocol"])
@settings(max_examples=30)
@given(rows=hostile_rows())
def test_how_rows_lie_in_frames_changes_no_value(payload: str, rows: list[Row]) -> None:
    frames = block_of(rows)
    single = [frame.slice(row, 1) for frame in frames for row in range(frame.num_rows)]
    whole, cut = body(payload, frames), body(payload, single)
    assert len(whole) == len(cut)
    if whole:
        assert Counter(READERS[payload](whole)) == Counter(READERS[payload](cut))


def test_small_frames_of_one_measurement_become_one() -> None:
    frames = block_of(readings(100, sensors=50))
    assert len(frames) == 50
    (joined,) = merged([*frames, frames[0].slice(0, 0)])
    assert joined.num_rows == 100


def test_large_frames_stay_as_they_are() -> None:
    frames = block_of(readings(5_000, sensors=2))
    assert [first is second for first, second in zip(merged(frames), frames, strict=True)] == [True, True]


def test_frames_of_other_types_measurements_or_tags_stay_apart() -> None:
    rows = [Row(1, 1.0), Row(1, 1.0, measurement="n"), Row(1, 1.0, measurement="o", tags=(("t", "x"),))]
    assert len(merged(block_of(rows))) == 3
