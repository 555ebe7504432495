"""Reads of several ranges at one time: what fails ends the others, and all of them share one bound."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from service.domain.selection import Fn, ReadPlan, Selection, Windows
from service.domain.timerange import TimeRange
from service.errors import StoreBroken
from service.frames.frame import Reading
from service.stores.cached.pieces import Readings, TooManyRows
from tests.support.waiting import until

SELECTION = Selection("b", TimeRange(0, 10), Windows(1, Fn.MEAN))
RANGES = [TimeRange(0, 5), TimeRange(5, 10)]


class Asked:
    """A store whose reads have three rows each. `before` is called with the range of each read, which it may fail."""

    def __init__(self, before: Callable[[TimeRange], object] = lambda _: None) -> None:
        self._before = before
        self.begun: list[TimeRange] = []
        self.ended: list[TimeRange] = []

    def read(self, selection: Selection) -> Reading:
        self._before(selection.span)
        self.begun.append(selection.span)
        blocks = iter([(pa.record_batch({"x": [1, 2, 3]}),)])
        return Reading(ReadPlan((), (), ()), blocks, lambda: self.ended.append(selection.span))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def readings_of(store: Any, threads: ThreadPoolExecutor) -> Readings:
    return Readings(store, threads)


def test_a_read_that_begins_after_another_one_failed_is_ended(threads: ThreadPoolExecutor) -> None:
    """It belonged to nobody any more, and held its query or its snapshot of the file for ever."""
    is_asking, may_begin = threading.Event(), threading.Event()

    def before(span: TimeRange) -> None:
        if span == RANGES[0]:
            assert is_asking.wait(10)
            raise StoreBroken("cut off")
        is_asking.set()
        assert may_begin.wait(10)

    store = Asked(before)
    with pytest.raises(StoreBroken, match="cut off"):
        readings_of(store, threads).begin(SELECTION, RANGES)
    may_begin.set()
    until(lambda: bool(store.begun))
    until(lambda: store.ended == store.begun == [RANGES[1]])


@pytest.mark.parametrize("ranges", [RANGES[:1], RANGES])
def test_reads_with_too_many_rows_are_ended_before_the_store_is_asked_in_another_way(
    threads: ThreadPoolExecutor, ranges: list[TimeRange]
) -> None:
    store = Asked()
    readings = readings_of(store, threads)
    begun = readings.begin(SELECTION, ranges)
    with pytest.raises(TooManyRows):
        readings.frames(begun, 2)
    assert sorted(store.ended) == ranges
    assert len(readings.begin(SELECTION, ranges)) == len(ranges)


def test_the_bound_of_rows_is_that_of_all_reads_together(threads: ThreadPoolExecutor) -> None:
    """Each could have as many, so an answer in four slices held four times what the bound says."""
    readings = readings_of(Asked(), threads)
    assert sum(frame.num_rows for frame in readings.frames(readings.begin(SELECTION, RANGES), 6)) == 6
    with pytest.raises(TooManyRows):
        readings.frames(readings.begin(SELECTION, RANGES), 5)
