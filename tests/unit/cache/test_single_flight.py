"""One answer under way: who may leave, who is waited for, and what each hears when it fails."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import TypeVar

import pytest

from service.cache.single_flight import Consumer, Flight, Produced
from service.errors import ClientStalled, StoreBroken, StoreTimeout, TooManyReads
from tests.support.caches import Kept, Recipe, Task
from tests.support.clock import Clock
from tests.support.waiting import until

MB = 1024 * 1024
T = TypeVar("T")


def test_an_error_reaches_everybody_as_it_is_and_its_traceback_does_not_grow() -> None:
    broken = StoreBroken("cut")
    flight = Flight(100, Kept(Recipe(b"a", broken)))
    consumers = [flight.add_consumer() for _ in range(5)]
    flight.start()
    depths = []
    for consumer in consumers:
        chunks = flight.chunks(consumer)
        assert next(chunks) == b"a"
        with pytest.raises(StoreBroken) as raised:
            next(chunks)
        assert raised.value is broken
        depths.append(len(raised.traceback))
    assert depths == [depths[0]] * 5


def test_what_producing_refuses_reaches_all_who_wait_before_the_headers() -> None:
    def refuse() -> Produced:
        raise TooManyReads("full")

    flight = Flight(100, Kept(refuse))
    waiting = [Task(partial(flight.headers, flight.add_consumer())) for _ in range(3)]
    flight.start()
    for one in waiting:
        with pytest.raises(TooManyReads, match="full"):
            one.result()
    assert flight.join() is None


def test_an_empty_answer_is_whole() -> None:
    kept = Kept(Recipe())
    flight = Flight(100, kept)
    consumer = flight.add_consumer()
    flight.start()
    assert (flight.headers(consumer), list(flight.chunks(consumer)), kept.whole) == ({"X": "y"}, [], [])


def test_leaving_ends_an_iterator_that_waits_in_another_thread() -> None:
    recipe = Recipe(b"a", b"b", held=True)
    flight = Flight(100, Kept(recipe))
    leaving, staying = flight.add_consumer(), flight.add_consumer()
    flight.start()
    reader = Task(lambda: list(flight.chunks(leaving)))
    other = Task(lambda: list(flight.chunks(staying)))
    recipe.let_go(1)
    until(lambda: leaving.position == 1)
    for _ in range(3):
        flight.leave(leaving)
    assert reader.result() == [b"a"]
    recipe.let_go()
    assert other.result() == [b"a", b"b"]


def test_the_last_one_leaving_while_the_headers_are_awaited_cancels() -> None:
    recipe = Recipe(b"a", held=True)
    kept = Kept(recipe)
    flight = Flight(100, kept)
    consumer = flight.add_consumer()
    flight.start()
    waiting = Task(lambda: flight.headers(consumer))
    assert recipe.asked.wait(10)
    flight.leave(consumer)
    assert recipe.cancelled.wait(10)
    with pytest.raises(StoreBroken):
        waiting.result()
    assert kept.over.wait(10)
    assert kept.whole is None


def test_a_client_gone_before_the_store_answered_leaves_no_query_behind() -> None:
    recipe, opening = Recipe(b"a", held=True), threading.Event()

    def slow_to_open() -> Produced:
        assert opening.wait(10)
        return recipe()

    kept = Kept(slow_to_open)
    flight = Flight(100, kept)
    consumer = flight.add_consumer()
    flight.start()
    flight.leave(consumer)
    opening.set()
    assert recipe.cancelled.wait(10)
    assert kept.over.wait(10)


def test_an_iterator_that_is_thrown_away_counts_as_left() -> None:
    recipe = Recipe(b"a", b"b", held=True)
    flight = Flight(100, Kept(recipe))
    chunks = flight.chunks(flight.add_consumer())
    flight.start()
    recipe.let_go(1)
    assert next(chunks) == b"a"
    del chunks
    assert recipe.cancelled.wait(10)
    assert recipe.closed.wait(10)


def test_failing_to_keep_the_answer_hangs_nobody() -> None:
    def full() -> None:
        raise MemoryError

    flight = Flight(100, Kept(Recipe(b"a"), done=full))
    consumer = flight.add_consumer()
    flight.start()
    assert Task(lambda: list(flight.chunks(consumer))).result() == [b"a"]


def test_a_failing_cancel_changes_no_answer() -> None:
    def refuse() -> None:
        raise OSError("already closed")

    flight = Flight(100, Kept(lambda: Produced({}, iter([b"a"]), refuse)))
    consumer = flight.add_consumer()
    flight.start()
    assert Task(lambda: list(flight.chunks(consumer))).result() == [b"a"]


def test_memory_is_bounded_by_what_may_be_kept_and_the_slowest_is_waited_for() -> None:
    recipe = Recipe(*[bytes(MB)] * 40)
    kept = Kept(recipe)
    flight = Flight(2 * MB, kept)
    slow, quick = flight.add_consumer(), flight.add_consumer()
    flight.start()
    chunks = flight.chunks(slow)
    next(chunks)
    reader = Task(lambda: sum(map(len, flight.chunks(quick))))
    until(lambda: quick.position == flight.produced_chunks and flight.held_bytes >= 4 * MB)
    assert flight.held_bytes <= 5 * MB
    assert flight.join() is None
    assert len(list(chunks)) == 39
    assert reader.result() == 40 * MB
    assert (kept.whole, kept.times_outgrown) == (None, 1)


def test_a_client_that_stopped_reading_is_dropped_after_half_a_minute_with_a_clear_error() -> None:
    clock = Clock()
    flight = Flight(MB, Kept(Recipe(*[bytes(MB)] * 20)), clock)
    stuck, reading = flight.add_consumer(), flight.add_consumer()
    flight.start()
    chunks = flight.chunks(stuck)
    next(chunks)
    reader = Task(lambda: sum(map(len, flight.chunks(reading))))
    until(lambda: flight.held_bytes >= 4 * MB and reading.position == flight.produced_chunks)
    assert not stuck.stalled
    clock.now += 31
    assert reader.result() == 20 * MB
    with pytest.raises(ClientStalled, match="30 seconds"):
        next(chunks)


class CountedClock(Clock[float]):
    """Counts how often somebody looks at it."""

    looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return super().__call__()


def test_waiting_long_for_the_store_is_not_stalling() -> None:
    clock = CountedClock()
    recipe = Recipe(*[bytes(MB)] * 20, held=True)
    flight = Flight(MB, Kept(recipe), clock)
    late, reading, leaving = flight.add_consumer(), flight.add_consumer(), flight.add_consumer()
    flight.start()
    reader = Task(lambda: sum(map(len, flight.chunks(reading))))
    clock.now += 600
    recipe.let_go()
    until(lambda: flight.held_bytes >= 4 * MB and reading.position == flight.produced_chunks)
    looks_before = clock.looks
    flight.leave(leaving)  # which wakes the producer, so that it looks for clients that have stalled
    until(lambda: clock.looks > looks_before)
    assert sum(map(len, flight.chunks(late))) == 20 * MB
    assert reader.result() == 20 * MB


def test_when_all_have_stalled_the_query_ends() -> None:
    clock = Clock()
    recipe = Recipe(*[bytes(MB)] * 20)
    kept = Kept(recipe)
    flight = Flight(MB, kept, clock)
    flight.add_consumer(), flight.add_consumer()
    flight.start()
    until(lambda: flight.held_bytes >= 4 * MB)
    clock.now += 31
    assert recipe.cancelled.wait(10)
    assert kept.over.wait(10)
    assert recipe.closed.is_set(), "the frames of the iterator are still held"


def test_one_that_left_is_never_given_an_empty_answer_for_a_whole_one() -> None:
    recipe = Recipe(b"a", held=True)
    kept = Kept(recipe)
    flight = Flight(100, kept)
    consumer = flight.add_consumer()
    flight.start()
    assert recipe.asked.wait(10)
    flight.leave(consumer)
    until(lambda: flight.is_finished)
    with pytest.raises(StoreBroken):
        flight.headers(consumer)


def test_the_producer_waits_no_longer_than_the_whole_answer_may_take_and_its_query_ends() -> None:
    clock = Clock()
    recipe = Recipe(*[bytes(MB)] * 20)
    flight = Flight(MB, Kept(recipe), clock, longest_s=600)
    consumer = flight.add_consumer()
    flight.start()
    until(lambda: flight.held_bytes >= 4 * MB)
    clock.now += 601
    assert recipe.cancelled.wait(10)
    with pytest.raises(StoreTimeout, match="READ_TIMEOUT_S"):
        list(flight.chunks(consumer))


def test_a_reader_waits_no_longer_than_the_whole_answer_may_take() -> None:
    recipe = Recipe(b"a", held=True)
    flight = Flight(100, Kept(recipe), longest_s=0.2)
    consumer = flight.add_consumer()
    flight.start()
    with pytest.raises(StoreTimeout, match="READ_TIMEOUT_S"):
        flight.headers(consumer)
    recipe.let_go()


def test_a_lone_client_may_be_as_slow_as_it_likes() -> None:
    """Nobody else waits for it, and a query that it holds up ends at READ_TIMEOUT_S."""
    clock = CountedClock()
    flight = Flight(MB, Kept(Recipe(*[bytes(MB)] * 20)), clock)
    lone, leaving = flight.add_consumer(), flight.add_consumer()
    flight.start()
    chunks = flight.chunks(lone)
    next(chunks)
    until(lambda: flight.held_bytes >= 4 * MB)
    flight.leave(leaving)
    clock.now += 500
    looked_at(flight, clock, leaving)
    assert (lone.stalled, flight.consumers) == (False, 1)
    assert len(list(chunks)) == 19


def looked_at(flight: Flight, clock: CountedClock, left: Consumer) -> None:
    """Wake the producer that waits for room, and come back when it has looked for clients that stalled."""
    looks_before = clock.looks
    flight.leave(left)
    until(lambda: clock.looks >= looks_before + 2)


def test_a_client_is_slow_for_30_seconds_before_it_is_dropped() -> None:
    clock = CountedClock()
    flight = Flight(MB, Kept(Recipe(*[bytes(MB)] * 20)), clock)
    stuck, reading, leaving = flight.add_consumer(), flight.add_consumer(), flight.add_consumer()
    flight.leave(leaving)
    flight.start()
    reader = Task(lambda: sum(map(len, flight.chunks(reading))))
    until(lambda: flight.held_bytes >= 4 * MB and reading.position == flight.produced_chunks)
    clock.now += 30
    looked_at(flight, clock, leaving)
    assert (stuck.stalled, flight.consumers) == (False, 2)
    clock.now += 0.001
    assert reader.result() == 20 * MB
    assert stuck.stalled


def test_of_two_that_stalled_the_one_that_is_ahead_stays() -> None:
    """Dropping the slowest makes room, so the other has time to go on."""
    clock = CountedClock()
    flight = Flight(MB, Kept(Recipe(*[bytes(MB)] * 20)), clock)
    slowest, ahead, leaving = flight.add_consumer(), flight.add_consumer(), flight.add_consumer()
    flight.leave(leaving)
    flight.start()
    behind, chunks = flight.chunks(slowest), flight.chunks(ahead)
    next(behind)
    for _ in range(3):
        next(chunks)
    until(lambda: flight.held_bytes >= 4 * MB)
    clock.now += 31
    until(lambda: flight.consumers == 1)
    assert (slowest.stalled, ahead.stalled) == (True, False)
    assert len(list(chunks)) == 17
    with pytest.raises(ClientStalled):
        next(behind)


def test_an_answer_of_just_the_size_that_may_be_kept_is_kept_and_may_be_joined() -> None:
    kept = Kept(Recipe(bytes(60), bytes(40)))
    flight = Flight(100, kept)
    first = flight.add_consumer()
    flight.start()
    until(lambda: flight.is_finished)
    second = flight.join()
    assert second is not None
    assert (flight.consumers, flight.held_bytes, flight.produced_chunks) == (2, 100, 2)
    assert [b"".join(flight.chunks(one)) for one in (first, second)] == [bytes(100)] * 2
    assert (kept.whole, kept.times_outgrown) == ([bytes(60), bytes(40)], 0)


def test_an_answer_of_one_byte_more_is_not_kept_and_is_outgrown_once() -> None:
    kept = Kept(Recipe(bytes(60), bytes(41), bytes(1), bytes(200)))
    flight = Flight(100, kept)
    consumer = flight.add_consumer()
    flight.start()
    assert b"".join(flight.chunks(consumer)) == bytes(302)
    until(lambda: flight.is_finished)
    assert flight.join() is None
    assert (kept.whole, kept.times_outgrown) == (None, 1)


def test_the_producer_goes_ahead_by_4_mb_and_no_further() -> None:
    pulled = threading.Semaphore(0)

    def pieces() -> Iterator[bytes]:
        for _ in range(2_100):
            yield bytes(2_048)
            pulled.release()

    flight = Flight(100, Kept(lambda: Produced({}, pieces(), lambda: None)))
    consumer = flight.add_consumer()
    assert (flight.consumers, flight.held_bytes) == (1, 0)
    flight.start()
    assert all(pulled.acquire(timeout=10) for _ in range(2_048))
    assert not pulled.acquire(timeout=0.05), "more than 4 MB"
    assert flight.held_bytes == 4 * MB
    assert sum(map(len, flight.chunks(consumer))) == 2_100 * 2_048


def test_waiting_for_headers_ends_at_the_time_of_the_consumer_and_not_before() -> None:
    clock = Clock()
    flight = Flight(100, Kept(Recipe(b"a")), clock, longest_s=60)
    consumer = flight.add_consumer()
    assert (consumer.until_s, flight.begun_at) == (clock.now + 60, clock.now)
    clock.now += 61
    with pytest.raises(StoreTimeout):
        flight.headers(consumer)
    flight.start()
    until(lambda: flight.is_finished)
    assert flight.headers(consumer) == {"X": "y"}, "what is there needs no waiting"


def test_when_all_have_left_the_answer_is_pulled_no_further() -> None:
    has_left, pulled = threading.Event(), []

    def pieces() -> Iterator[bytes]:
        for text in (b"a", b"b", b"c"):
            pulled.append(text)
            yield text
            assert has_left.wait(10)

    flight = Flight(100, Kept(lambda: Produced({}, pieces(), lambda: None)))
    chunks = flight.chunks(flight.add_consumer())
    flight.start()
    assert next(chunks) == b"a"
    chunks.close()  # type: ignore[attr-defined]
    has_left.set()
    until(lambda: flight.is_finished)
    assert pulled == [b"a", b"b"], "the one that was asked for before is the last"


@pytest.mark.parametrize("chunks", [(), (b"a", b"b"), (b"a", StoreBroken("cut")), (StoreBroken("cut"),)])
def test_an_answer_that_all_left_after_its_end_is_joined_by_nobody(chunks: tuple[bytes | Exception, ...]) -> None:
    """What it held is freed, so whoever joined would read less than the answer, or miss the failure."""
    flight = Flight(100, Kept(Recipe(*chunks)))
    consumer = flight.add_consumer()
    flight.start()
    until(lambda: flight.is_finished)
    flight.leave(consumer)
    assert flight.join() is None
    assert (flight.consumers, flight.held_bytes) == (0, 0)
    assert flight.produced_chunks == sum(isinstance(chunk, bytes) for chunk in chunks)


def test_the_producer_that_waits_for_room_waits_as_long_as_the_whole_answer_may_take() -> None:
    clock = CountedClock()
    recipe = Recipe(*[bytes(MB)] * 20)
    flight = Flight(MB, Kept(recipe), clock, longest_s=600)
    consumer, leaving = flight.add_consumer(), flight.add_consumer()
    flight.start()
    until(lambda: flight.held_bytes >= 4 * MB)
    flight.leave(leaving)
    clock.now += 600
    for _ in range(2):  # it still waits after it has looked
        looks_before = clock.looks
        flight.leave(leaving)
        until(lambda before=looks_before: clock.looks > before)  # type: ignore[misc]
    assert not recipe.cancelled.is_set()
    flight.leave(consumer)
    assert recipe.cancelled.wait(10)
