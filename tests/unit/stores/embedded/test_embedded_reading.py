"""What only this store promises of a read: a snapshot, small blocks, shared codes, exactness beyond Flux's."""

import statistics
import threading
import time
from pathlib import Path

import pytest

from service.domain.schema import BucketSpec
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.errors import StoreFailed
from service.stores.embedded import reading as reading_module
from service.stores.embedded.reading import ENOUGH_ROWS
from service.stores.embedded.store import EmbeddedStore
from tests.support.embedded_stores import BUCKET, NOON, floats, open_store, points, store_with_bucket
from tests.support.rows import collect, read, row

ALL_TIME = TimeRange(EARLIEST_NS, LATEST_NS + 1)
SECOND_NS = 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return store_with_bucket(tmp_path)


def test_a_reading_sees_the_store_as_it_was_when_it_began(store: EmbeddedStore) -> None:
    store.write(BUCKET, points(f"m f=1 {NOON}\nm f=2 {NOON + 1}\n"))
    begun = store.read(Selection(BUCKET, ALL_TIME))
    store.write(BUCKET, points(f"m f=9 {NOON}\nm f=3 {NOON + 2}\nn g=1i {NOON}\n"))
    assert [one.shown for one in collect(begun)] == ["1.0", "2.0"]
    assert [one.shown for one in read(store, BUCKET, ALL_TIME)] == ["9.0", "2.0", "3.0", "1"]


def test_blocks_are_bounded_and_complete_whatever_the_range(store: EmbeddedStore) -> None:
    for part in range(4):
        store.write(BUCKET, floats("m", 100, [NOON + (part * 1000 + step) * SECOND_NS for step in range(1000)]))
    reading = store.read(Selection(BUCKET, ALL_TIME))
    sizes = [sum(frame.num_rows for frame in block) for block in reading.blocks]
    assert sum(sizes) == 400_000
    assert max(sizes) <= ENOUGH_ROWS
    assert len(sizes) < 8


def test_one_instant_of_many_series_is_cut_between_tag_sets(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "ENOUGH_ROWS", 100)
    store.write(BUCKET, floats("m", 1000, [NOON]))
    assert [frame.num_rows for block in store.read(Selection(BUCKET, ALL_TIME)).blocks for frame in block] == [100] * 10


def test_long_texts_make_smaller_blocks(store: EmbeddedStore) -> None:
    text = "x" * 60_000
    store.write(BUCKET, points("".join(f'm s="{text}" {NOON + step}\n' for step in range(300))))
    blocks = [sum(frame.num_rows for frame in block) for block in store.read(Selection(BUCKET, ALL_TIME)).blocks]
    assert sum(blocks) == 300
    assert max(blocks) * len(text) <= 2 * 64 * ENOUGH_ROWS


def test_labels_of_a_frame_share_their_codes(store: EmbeddedStore) -> None:
    store.write(BUCKET, points(f"m,a=1,b=x f=1,g=2 {NOON}\nm,a=2,b=y f=3,g=4 {NOON}\n"))
    [[frame]] = list(store.read(Selection(BUCKET, ALL_TIME)).blocks)
    assert len({frame.column(index).indices.buffers()[1].address for index in (2, 4, 5)}) == 1
    assert frame.column(5).to_pylist() == ["x", "x", "y", "y"]


def test_an_absent_tag_is_null(store: EmbeddedStore) -> None:
    store.write(BUCKET, points(f"m,a=1 f=1 {NOON}\nm f=2 {NOON}\n"))
    [[frame]] = list(store.read(Selection(BUCKET, ALL_TIME)).blocks)
    assert (frame.column(4).to_pylist(), frame.column(4).null_count) == ([None, "1"], 1)


@pytest.mark.parametrize("every_ns", [2**63 - 1, 2**62 + 12345, 2**61, 2**61 - 1, 7 * 86_400 * SECOND_NS])
def test_windows_over_all_time_count_every_point(store: EmbeddedStore, every_ns: int) -> None:
    times = [EARLIEST_NS, EARLIEST_NS + 1, -1, 0, NOON, LATEST_NS - 1, LATEST_NS]
    store.write(BUCKET, points("".join(f"m f=1i {time_ns}\n" for time_ns in times)))
    expected: dict[int, int] = {}
    for time_ns in times:
        stop_ns = min(time_ns - time_ns % every_ns + every_ns, LATEST_NS + 1)
        expected[stop_ns] = expected.get(stop_ns, 0) + 1
    found = read(store, BUCKET, ALL_TIME, Windows(every_ns, Fn.COUNT))
    assert found == [row("m", {}, "f", stop_ns, count) for stop_ns, count in sorted(expected.items())]


def test_a_local_clock_over_all_time_is_read(store: EmbeddedStore) -> None:
    store.write(BUCKET, points(f"m f=1i {EARLIEST_NS}\nm f=1i {LATEST_NS}\n"))
    found = read(store, BUCKET, ALL_TIME, Windows(2**63 - 1, Fn.SUM, "Asia/Kolkata"))
    assert sum(int(one.shown) for one in found) == 2


def test_integer_sums_wrap_as_in_flux(store: EmbeddedStore) -> None:
    most, least = 2**63 - 1, -(2**63)
    store.write(
        BUCKET,
        points(f"m i={most}i,u={2**64 - 1}u {NOON}\nm i={most}i,u={2**64 - 1}u {NOON + 1}\nm i=5i,u=7u {NOON + 2}\n"),
    )
    store.write(BUCKET, points(f"n i={most}i {NOON}\nn i={least}i {NOON + 1}\n"))

    def shown(fn: Fn) -> list[str]:
        return [one.shown for one in read(store, BUCKET, ALL_TIME, Windows(2**62, fn))]

    assert shown(Fn.SUM) == ["3", "5", "-1"]
    assert shown(Fn.MEAN) == ["1.0", "1.6666666666666667", "-0.5"]
    assert shown(Fn.SPREAD) == [str(most - 5), str(2**64 - 8), "-1"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10, 51, 100, 5000])
def test_the_median_is_exact_for_windows_of_every_size(store: EmbeddedStore, count: int) -> None:
    values = [(step * 7919) % 10_007 / 8 for step in range(count)]
    store.write(BUCKET, points("".join(f"m f={value!r} {NOON + step}\n" for step, value in enumerate(values))))
    [found] = read(store, BUCKET, ALL_TIME, Windows(2**62, Fn.MEDIAN))
    assert found.shown == repr(statistics.median(values))


def test_the_median_of_the_largest_floats_is_no_infinity(store: EmbeddedStore) -> None:
    store.write(BUCKET, points(f"m f=1e308 {NOON}\nm f=1.2e308 {NOON + 1}\n"))
    assert [one.shown for one in read(store, BUCKET, ALL_TIME, Windows(2**62, Fn.MEDIAN))] == ["1.1e+308"]


def test_cancelling_ends_a_query_that_runs(store: EmbeddedStore) -> None:
    store.write(BUCKET, floats("m", 1000, [NOON + step for step in range(1000)]))
    reading = store.read(Selection(BUCKET, ALL_TIME, Windows(SECOND_NS, Fn.MEDIAN)))
    threading.Timer(0.02, reading.cancel).start()
    began = time.monotonic()
    with pytest.raises(StoreFailed, match="it was cancelled"):
        while True:
            for _ in reading.blocks:
                pass
            reading = store.read(Selection(BUCKET, ALL_TIME, Windows(SECOND_NS, Fn.MEDIAN)))
            threading.Timer(0.02, reading.cancel).start()
            assert time.monotonic() - began < 30, "no read was caught while it ran"
    assert time.monotonic() - began < 30
    assert store.open_reads == 0


def test_a_read_that_needs_too_much_memory_says_what_to_do(tmp_path: Path) -> None:
    small = open_store(tmp_path / "small", memory_mb=64)
    small.create_bucket(BucketSpec(BUCKET))
    for part in range(6):
        small.write(BUCKET, floats("m", 1, [NOON + part * 1_000_000 + step for step in range(1_000_000)]))
    with pytest.raises(StoreFailed, match=r"needs more memory .* raise EMBEDDED_MEMORY_MB"):
        list(small.read(Selection(BUCKET, ALL_TIME, Windows(2**62, Fn.MEDIAN))).blocks)
    assert len(read(small, BUCKET, TimeRange(NOON, NOON + 10))) == 10
    small.close()
