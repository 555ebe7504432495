"""Long readings: in several blocks, complete, cancelled in the middle, and next to writes."""

import secrets
import threading
import time
from collections.abc import Iterator

import pytest

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import TimeRange
from service.errors import FluxgateError
from service.stores.protocol import Store
from tests.support.rows import at, collect, read, store_all

START = at("2024-01-01T00:00:00Z")
SECOND_NS = 1_000_000_000
HOSTS, TIMES = 20, 2_500
"""Four fields each: 200,000 values over about three weeks, in four shard groups; with the text about 25 MB."""
TEXT = "text " * 60
STEP_NS = 700 * SECOND_NS
SPAN = TimeRange(START, START + TIMES * STEP_NS)


@pytest.fixture(scope="module")
def long_bucket(store: Store) -> Iterator[str]:
    name = f"Long {secrets.token_hex(6)}"
    store.create_bucket(BucketSpec(name))
    for host in range(HOSTS):
        lines = [
            f'm,host=h{host:02} a={step}i,b={step / 4},c={step}u,d="{TEXT}{step % 7}" {START + step * STEP_NS}\n'
            for step in range(TIMES)
        ]
        store_all(store, name, "".join(lines))
    yield name


@pytest.mark.parametrize("complete_rows", [False, True])
def test_a_long_reading_is_complete_and_in_order(store: Store, long_bucket: str, complete_rows: bool) -> None:
    rows = collect(store.read(Selection(long_bucket, SPAN, complete_rows=complete_rows)), complete_rows=complete_rows)
    assert len(rows) == HOSTS * TIMES * 4
    one = [row for row in rows if row.tags == (("host", "h07"),) and row.field == "a"]
    assert [int(row.shown) for row in one] == list(range(TIMES))


def test_a_long_reading_comes_in_several_blocks(store: Store, long_bucket: str) -> None:
    reading = store.read(Selection(long_bucket, SPAN))
    sizes = [sum(frame.num_rows for frame in block) for block in reading.blocks]
    reading.cancel()
    assert sum(sizes) == HOSTS * TIMES * 4
    assert len(sizes) > 1
    assert min(sizes) > 0


@pytest.mark.parametrize("complete_rows", [False, True])
def test_a_long_windowed_reading_counts_every_value(store: Store, long_bucket: str, complete_rows: bool) -> None:
    rows = read(store, long_bucket, SPAN, Windows(parse_duration("1h", "every"), Fn.COUNT), complete_rows=complete_rows)
    assert sum(int(row.shown) for row in rows) == HOSTS * TIMES * 4


@pytest.mark.parametrize("waited_s", [0, 1.5], ids=["at once", "when whatever is read ahead has been read"])
def test_a_cancelled_reading_never_looks_complete(store: Store, long_bucket: str, waited_s: float) -> None:
    reading = store.read(Selection(long_bucket, SPAN))
    taken = sum(frame.num_rows for frame in next(iter(reading.blocks)))
    time.sleep(waited_s)
    reading.cancel()
    reading.cancel()
    began = time.monotonic()
    try:
        for block in reading.blocks:
            taken += sum(frame.num_rows for frame in block)
    except FluxgateError:
        return
    finally:
        assert time.monotonic() - began < 5
    assert taken == HOSTS * TIMES * 4


def test_cancelling_from_another_thread_ends_a_reading_soon(store: Store, long_bucket: str) -> None:
    reading = store.read(Selection(long_bucket, SPAN))
    ended = threading.Event()

    def drain() -> None:
        try:
            for _ in reading.blocks:
                time.sleep(0.01)
        except FluxgateError:
            pass
        ended.set()

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    time.sleep(0.05)
    reading.cancel()
    assert ended.wait(5)


def test_cancelling_a_finished_reading_disturbs_no_other(store: Store, long_bucket: str) -> None:
    """Whoever takes a reading cancels it at the end: its connection may carry another one by then."""
    finished = store.read(Selection(long_bucket, TimeRange(START, START + 1)))
    assert sum(frame.num_rows for block in finished.blocks for frame in block) == HOSTS * 4
    other = store.read(Selection(long_bucket, SPAN))
    taken = 0
    for block in other.blocks:
        finished.cancel()
        taken += sum(frame.num_rows for frame in block)
        time.sleep(0.05)
    other.cancel()
    assert taken == HOSTS * TIMES * 4


def test_an_abandoned_reading_harms_no_other(store: Store, long_bucket: str) -> None:
    for _ in range(12):
        reading = store.read(Selection(long_bucket, SPAN))
        next(iter(reading.blocks))
        reading.cancel()
    assert len(read(store, long_bucket, TimeRange(START, START + 1))) == HOSTS * 4


def test_a_reading_that_is_cancelled_before_its_first_block_costs_nothing(store: Store, long_bucket: str) -> None:
    for _ in range(12):
        store.read(Selection(long_bucket, SPAN)).cancel()
    assert len(read(store, long_bucket, TimeRange(START, START + 1))) == HOSTS * 4


def test_reads_and_writes_at_once_disturb_nothing(store: Store, bucket: str) -> None:
    failures: list[BaseException] = []
    batches, lines_each = 10, 200

    def write_all(host: str) -> None:
        try:
            for batch in range(batches):
                first = batch * lines_each
                store_all(
                    store,
                    bucket,
                    "".join(f"m,host={host} f={n}i {START + n}\n" for n in range(first, first + lines_each)),
                )
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that asserts
            failures.append(failure)

    def read_all() -> None:
        try:
            for _ in range(5):
                read(store, bucket, TimeRange(START, START + 10_000))
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=write_all, args=(host,)) for host in "ab"] + [
        threading.Thread(target=read_all) for _ in "cd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(read(store, bucket, TimeRange(START, START + 10_000))) == 2 * batches * lines_each
