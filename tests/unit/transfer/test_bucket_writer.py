"""Writing blocks into a bucket: two requests ahead, and nothing lost in silence."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from service.domain.conflicts import OnConflict
from service.domain.schema import BucketSpec, FieldType
from service.errors import StoreError, StoreUnavailable
from service.frames.frame import Block, long_schema
from service.frames.points import Points
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from service.transfer.bucket_writer import BucketWriter
from service.transfer.dead_letters import DeadLetter
from tests.support.mirror_faults import Fails, failing
from tests.support.mirrors import digests
from tests.support.rows import store_all
from tests.support.stores import Through, embedded_store

DAY_NS = 86_400 * 10**9


def blocks(*times: range) -> Iterator[Block]:
    """Blocks of two fields: a float at these times, an integer at the first of them."""
    for span in times:
        yield tuple(
            pa.RecordBatch.from_arrays(
                [
                    pa.array(own, pa.int64()).cast(pa.timestamp("ns", "UTC")),
                    pa.array(own, pa.int64()).cast(value),
                    *(
                        pa.DictionaryArray.from_arrays(pa.array([0] * len(own), pa.int32()), [name])
                        for name in (field, "m")
                    ),
                ],
                schema=long_schema(kind, ()),
            )
            for field, kind, value, own in (
                ("v", FieldType.INTEGER, pa.int64(), span[:1]),
                ("o", FieldType.FLOAT, pa.float64(), span),
            )
        )


class WritesTogether(Through):
    """Answers its first two writes only when both are under way."""

    both = threading.Barrier(2, timeout=20)
    writes = 0

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        self.writes += 1
        outcome = self.store.write(bucket, points, bounds)
        if self.writes <= 2:
            self.both.wait()
        return outcome


def test_two_writes_that_meet_the_same_conflict_both_keep_the_rest_of_their_lines(tmp_path: Path) -> None:
    """Once the second one took the conflict for known, and lost its lines with every field."""
    store = embedded_store(tmp_path / "b")
    store.create_bucket(BucketSpec("W"))
    store_all(store, "W", "m v=1.5 0")
    letters: list[DeadLetter] = []
    target = WritesTogether(store)
    writer = BucketWriter(target, "W", OnConflict.SKIP, StoreError, lambda: None, letters.extend)  # type: ignore[arg-type]
    assert writer.write(blocks(range(100_000), range(100_000, 200_000)), DAY_NS) == {0: 2}
    assert {name.field: one.count for name, one in digests(store, "W").items()} == {"v": 1, "o": 200_000}
    assert sorted((letter["bucket"], letter["field"], letter["time_ns"]) for letter in letters) == [
        ("W", "v", 0),
        ("W", "v", 100_000),
    ]
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = embedded_store(tmp_path / "store")
    opened.create_bucket(BucketSpec("W"))
    yield opened
    opened.close()


def writer(store: object, *, stamped_at_stop: bool = False, on_conflict: OnConflict = OnConflict.SKIP) -> BucketWriter:
    return BucketWriter(store, "W", on_conflict, StoreError, lambda: None, lambda letters: None, stamped_at_stop)  # type: ignore[arg-type]


def test_small_blocks_are_written_together(store: Store) -> None:
    target = Fails(store, lambda act: writes.append(act))
    writes: list[str] = []
    assert writer(target).write(blocks(*(range(start, start + 10) for start in range(0, 1_000, 10))), DAY_NS) == {}
    assert writes == ["write", "written"]


def test_a_policy_to_stop_raises_the_error_of_the_caller(store: Store) -> None:
    store_all(store, "W", "m v=1.5 0")
    with pytest.raises(StoreError, match="Field 'v' of 'm' is integer here and float in the shard group"):
        writer(store, on_conflict=OnConflict.FAIL).write(blocks(range(10)), DAY_NS)


def test_a_window_on_the_edge_of_a_slice_is_counted_in_the_slice_before(store: Store) -> None:
    store_all(store, "W", f"m v=1.5 {DAY_NS}")
    edge = range(DAY_NS, DAY_NS + 1)
    assert writer(store).write(blocks(edge), DAY_NS) == {DAY_NS: 1}
    assert writer(store, stamped_at_stop=True).write(blocks(edge), DAY_NS) == {0: 1}


def test_a_write_that_breaks_is_raised_after_the_others_have_ended(store: Store) -> None:
    target = Fails(store, failing(None, StoreUnavailable("away"), at="write"))
    with pytest.raises(StoreUnavailable):
        writer(target).write(blocks(*(range(start, start + 60_000) for start in range(0, 240_000, 60_000))), DAY_NS)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bucket-writer")]
