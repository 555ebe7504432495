"""Writing blocks into a bucket: two requests ahead, and nothing lost in silence."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from service.domain.conflicts import OnConflict
from service.domain.job import JobInterrupted
from service.domain.schema import BucketSpec, FieldType
from service.errors import StoreError, StoreUnavailable
from service.frames.frame import Block, long_schema
from service.frames.points import Points
from service.stores.protocol import UNBOUNDED, Refusal, Store, WriteBounds, WriteOutcome
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
    after = range(DAY_NS + 1, DAY_NS + 2)
    assert writer(store, stamped_at_stop=True).write(blocks(after), DAY_NS) == {DAY_NS: 1}
    assert writer(store).write(blocks(range(DAY_NS - 1, DAY_NS)), DAY_NS) == {0: 1}


def test_a_write_that_breaks_is_raised_after_the_others_have_ended(store: Store) -> None:
    target = Fails(store, failing(None, StoreUnavailable("away"), at="write"))
    with pytest.raises(StoreUnavailable):
        writer(target).write(blocks(*(range(start, start + 60_000) for start in range(0, 240_000, 60_000))), DAY_NS)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bucket-writer")]


class Refuses(Through):
    """Takes every line but those that the test names, by the text that they hold."""

    refused_text = b""

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        lines = points.text.splitlines()
        numbers = [number for number, line in enumerate(lines, 1) if self.refused_text in line]
        refused = tuple(Refusal(number, "refused", "No.", upstream="shard 7") for number in numbers)
        return WriteOutcome(len(lines) - len(refused), refused)


def test_each_value_of_a_refused_line_is_counted_in_the_slice_of_its_line(store: Store) -> None:
    target = Refuses(store)
    target.refused_text = b"v="
    letters: list[DeadLetter] = []
    refusing = BucketWriter(target, "W", OnConflict.SKIP, StoreError, lambda: None, letters.extend)  # type: ignore[arg-type]
    rejected = refusing.write(blocks(range(DAY_NS, DAY_NS + 3), range(5, 8)), DAY_NS)
    assert rejected == {DAY_NS: 2, 0: 2}, "a line with v has o as well"
    assert sorted((letter["bucket"], letter["time_ns"], letter["reason"]) for letter in letters) == [
        ("W", 5, "No. It says: shard 7"), ("W", DAY_NS, "No. It says: shard 7"),
    ]  # fmt: skip


@pytest.mark.parametrize(("times", "writes"), [(49_999, 2), (50_000, 4)])
def test_blocks_are_written_together_up_to_100_000_values(store: Store, times: int, writes: int) -> None:
    acts: list[str] = []
    target = Fails(Refuses(store), lambda act: acts.append(act))
    target.store.refused_text = b"none"  # type: ignore[attr-defined]
    spans = [range(start * times, (start + 1) * times) for start in range(4)]
    assert writer(target).write(blocks(*spans), DAY_NS) == {}
    assert acts.count("write") == writes


def test_a_block_is_read_no_earlier_than_two_writes_before_its_own(store: Store) -> None:
    """Else a quick source would fill the memory while a slow target writes."""
    open_gate = threading.Event()
    early: list[int] = []

    class Waits(Refuses):
        refused_text = b"none"

        def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
            assert open_gate.wait(20)
            return super().write(bucket, points, bounds)

    def watched() -> Iterator[Block]:
        for number, block in enumerate(blocks(*(range(60_000 * start, 60_000 * (start + 1)) for start in range(7))), 1):
            if number > 4 and not open_gate.is_set():
                early.append(number)
                open_gate.set()
            yield block

    opener = threading.Timer(0.3, open_gate.set)
    opener.start()
    writer(Waits(store)).write(watched(), DAY_NS)
    opener.join()
    assert early == []


class Stop:
    """Ends the run at its call number `at`."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._calls = 0

    def __call__(self) -> None:
        self._calls += 1
        if self._calls >= self._at:
            raise JobInterrupted


def test_a_run_that_has_to_end_reads_no_further(store: Store) -> None:
    spans = []

    def watched() -> Iterator[Block]:
        for start in range(6):
            spans.append(start)
            yield from blocks(range(60_000 * start, 60_000 * (start + 1)))

    stopping = BucketWriter(store, "W", OnConflict.SKIP, StoreError, Stop(1), lambda letters: None)
    with pytest.raises(JobInterrupted):
        stopping.write(watched(), DAY_NS)
    assert spans == [0, 1], "the second shows that the first is a write of its own"


def test_a_run_that_has_to_end_writes_nothing_more(store: Store) -> None:
    acts: list[str] = []
    target = Fails(store, lambda act: acts.append(act))
    stopping = BucketWriter(target, "W", OnConflict.SKIP, StoreError, Stop(2), lambda letters: None)  # type: ignore[arg-type]
    with pytest.raises(JobInterrupted):
        stopping.write(blocks(range(3)), DAY_NS)
    assert acts == []


def test_a_value_that_no_line_can_hold_is_counted_and_a_dead_letter(store: Store) -> None:
    [block] = blocks(range(DAY_NS, DAY_NS + 2))
    endless = block[1].set_column(1, block[1].schema.field(1), pa.array([float("inf"), 2.5]))
    letters: list[DeadLetter] = []
    writing = BucketWriter(store, "W", OnConflict.SKIP, StoreError, lambda: None, letters.extend)
    assert writing.write(iter([(endless,)]), DAY_NS) == {DAY_NS: 1}
    assert [(letter["bucket"], letter["code"], letter["value"], letter["time_ns"]) for letter in letters] == [
        ("W", "unwritable", "inf", DAY_NS)
    ]
    assert {name.field: one.count for name, one in digests(store, "W").items()} == {"o": 1}


def test_a_conflict_of_one_slice_costs_no_value_of_another(store: Store) -> None:
    """The shard group of the later slice has no float, so its integer is taken."""
    store_all(store, "W", "m v=1.5 0")
    later = 20 * DAY_NS
    assert writer(store).write(blocks(range(1), range(later, later + 1)), DAY_NS) == {0: 1}
    assert {name.field: one.count for name, one in digests(store, "W").items()} == {"v": 1, "o": 2}
