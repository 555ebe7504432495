"""Batches: full ones but for the last, in the order of the source, and the same whatever the frames look like."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.timerange import TimeRange
from service.errors import UpstreamUnavailable
from service.jobs.forward.batches import batches
from service.jobs.forward.window_delivery import WindowDelivery
from service.upstream.protocol import Batch, Delivered
from tests.support.forwarding import MINUTE_NS, NOON_NS, ForwardContext, ForwardRig, frame_of, values_of

WINDOW = TimeRange(NOON_NS, NOON_NS + 5 * MINUTE_NS)


def frames(sizes: list[int]) -> list[pa.RecordBatch]:
    numbers = itertools.count()
    return [frame_of("s", [(next(numbers), 1.0) for _ in range(size)]) for size in sizes]


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 10))
def test_batches_are_full_and_keep_the_order(sizes: list[int], most: int) -> None:
    made = list(batches(WINDOW, frames(sizes), most))
    assert [batch.number for batch in made] == list(range(len(made)))
    assert all(batch.rows == most for batch in made[:-1])
    times = [time_ns for batch in made for frame in batch.frames for _, time_ns, _ in values_of(frame)]
    assert times == list(range(sum(sizes)))


def test_no_more_batches_are_in_memory_than_are_in_flight(rig: ForwardRig) -> None:
    """A day of many sensors is read as fast as it is sent."""
    rig.configure(upstream={"url": "http://upstream.test/post", "max_points": 10, "in_flight": 3})
    read, ahead = [0], [0]
    running, most_running, lock = [0], [0], threading.Lock()

    class Source:
        def frames(self, window: TimeRange) -> Iterator[pa.RecordBatch]:
            for number in range(100):
                read[0] += 1
                ahead[0] = max(ahead[0], read[0] - len(sent))
                yield frame_of("s", [(NOON_NS + number * 10 + place, 1.0) for place in range(10)])

    sent: list[Batch] = []

    class Sink:
        def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
            with lock:
                running[0] += 1
                most_running[0] = max(most_running[0], running[0])
            gate.wait(0.001)
            with lock:
                running[0] -= 1
                sent.append(batch)
            return Delivered(batch.rows, 1)

    gate = threading.Event()
    connector = rig.runnable.registry.get("c")
    parts: Any = (connector, Source(), Sink(), ForwardContext(), rig.letters)
    with WindowDelivery(*parts).opened() as delivery:
        acceptance = delivery.send(WINDOW)
    assert (acceptance.counts.accepted, acceptance.counts.posts) == (1000, 100)
    assert most_running[0] <= 3
    assert ahead[0] <= 5


def test_a_batch_that_fails_ends_the_window_and_waits_for_the_others(rig: ForwardRig) -> None:
    rig.configure(upstream={"url": "http://upstream.test/post", "max_points": 1, "in_flight": 4})
    rig.source.fill(NOON_NS, NOON_NS + 5 * MINUTE_NS)
    ended: list[int] = []

    def before(batch: Batch) -> None:
        ended.append(batch.number)
        if batch.number == 1:
            raise UpstreamUnavailable("It is away.")

    rig.sink.before = before
    with pytest.raises(UpstreamUnavailable):
        rig.run(start_time="2026-01-01T12:00:00Z", end_time="2026-01-01T12:05:00Z")
    assert 1 in ended
