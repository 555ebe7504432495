"""What an answer under way holds in memory, when it lets go of it, and what is kept of it at its end."""

import gc
import weakref
from collections.abc import Iterator
from typing import TypeVar

import pytest

from service.cache import single_flight
from service.cache.single_flight import Flight, Produced
from service.errors import StoreBroken
from tests.support.caches import Kept, Recipe, Task
from tests.support.waiting import until

MB = 1024 * 1024
T = TypeVar("T")


class Piece(bytearray):
    """A chunk that can be watched."""


def test_what_all_have_read_is_dropped_chunk_by_chunk_once_the_answer_is_too_big_to_be_kept() -> None:
    flight = Flight(100, Kept(Recipe(bytes(60), bytes(70), bytes(80))))
    slow, quick = flight.add_consumer(), flight.add_consumer()
    flight.start()
    until(lambda: flight.is_finished)
    behind, ahead = flight.chunks(slow), flight.chunks(quick)
    assert (len(next(ahead)), flight.held_bytes) == (60, 210), "the other has not read it"
    assert (len(next(behind)), flight.held_bytes) == (60, 150)
    assert (len(next(behind)), flight.held_bytes) == (70, 150)
    assert (list(map(len, ahead)), flight.held_bytes) == ([70, 80], 80)
    assert (list(map(len, behind)), flight.held_bytes) == ([80], 0)


def test_what_all_have_read_is_dropped_when_the_next_chunk_makes_the_answer_too_big() -> None:
    recipe = Recipe(bytes(60), bytes(70), held=True)
    flight = Flight(100, Kept(recipe))
    chunks = flight.chunks(flight.add_consumer())
    flight.start()
    recipe.let_go(1)
    assert (len(next(chunks)), flight.held_bytes) == (60, 60)
    recipe.let_go()
    until(lambda: flight.is_finished)
    assert flight.held_bytes == 70


def test_what_only_one_that_left_had_not_read_is_dropped() -> None:
    flight = Flight(100, Kept(Recipe(bytes(60), bytes(70))))
    slow, quick = flight.add_consumer(), flight.add_consumer()
    flight.start()
    until(lambda: flight.is_finished)
    chunks = flight.chunks(quick)
    next(chunks)
    assert flight.held_bytes == 130
    flight.leave(slow)
    assert flight.held_bytes == 70


def test_an_answer_of_the_size_that_may_be_kept_is_kept_whole_while_it_is_read() -> None:
    recipe = Recipe(bytes(60), b"", bytes(40), held=True)
    kept = Kept(recipe)
    flight = Flight(100, kept)
    chunks = flight.chunks(flight.add_consumer())
    flight.start()
    recipe.let_go(1)
    assert len(next(chunks)) == 60
    recipe.let_go()
    until(lambda: flight.is_finished)
    assert (kept.headers, kept.whole) == ({"X": "y"}, [bytes(60), bytes(40)])
    assert [len(chunk) for chunk in chunks] == [40], "an empty chunk is none"
    assert recipe.cancelled.is_set()
    assert recipe.closed.is_set()


def test_an_answer_outgrows_what_may_be_kept_once_also_from_just_that_size() -> None:
    kept = Kept(Recipe(bytes(100), b"a", b"b"))
    flight = Flight(100, kept)
    flight.add_consumer()
    flight.start()
    until(lambda: flight.is_finished)
    assert (kept.times_outgrown, kept.whole) == (1, None)


def test_what_may_be_kept_is_never_waited_for() -> None:
    flight = Flight(4 * MB, Kept(Recipe(*[bytes(MB)] * 5)))
    flight.add_consumer()
    flight.start()
    until(lambda: flight.is_finished)
    assert flight.held_bytes == 5 * MB


def test_the_producer_goes_on_as_soon_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_flight, "_LOOK_S", 60.0)
    flight = Flight(MB, Kept(Recipe(*[bytes(MB)] * 20)))
    consumer = flight.add_consumer()
    flight.start()
    until(lambda: flight.held_bytes >= 4 * MB)
    assert Task(lambda: sum(map(len, flight.chunks(consumer)))).result() == 20 * MB


def test_an_answer_is_wanted_until_the_last_has_left_and_freed_then() -> None:
    recipe = Recipe(b"a", b"b", held=True)
    kept = Kept(recipe)
    flight = Flight(100, kept)
    first, last = flight.add_consumer(), flight.add_consumer()
    flight.start()
    recipe.let_go(1)
    until(lambda: flight.held_bytes == 1)
    flight.leave(first)
    assert kept.is_wanted()
    flight.leave(last)
    assert not kept.is_wanted()
    assert flight.held_bytes == 0


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_an_answer_that_was_left_is_freed_at_once_and_waits_for_no_collector() -> None:
    parts: list[weakref.ref[object]] = []

    def noted(part: T) -> T:
        parts.append(weakref.ref(part))
        return part

    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            yield noted(Piece(MB))
        raise noted(StoreBroken("cut"))

    flight = Flight(8 * MB, Kept(lambda: noted(Produced({}, pieces(), lambda: None))))
    consumer = flight.add_consumer()
    flight.start()
    chunks = flight.chunks(consumer)
    next(chunks)
    until(lambda: flight.is_finished)
    assert [part() is None for part in parts] == [False] * 5
    chunks.close()  # type: ignore[attr-defined]
    assert flight.held_bytes == 0
    until(lambda: [part() for part in parts] == [None] * 5)


@pytest.mark.usefixtures("no_collector")
def test_an_answer_that_all_left_before_its_end_is_freed_when_it_ends() -> None:
    recipe, parts = Recipe(b"a", held=True), []

    def noted() -> Produced:
        produced = recipe()
        parts.append(weakref.ref(produced))
        return produced

    flight = Flight(100, Kept(noted))
    consumer = flight.add_consumer()
    flight.start()
    assert recipe.asked.wait(10)
    flight.leave(consumer)
    until(lambda: flight.is_finished)
    until(lambda: [part() for part in parts] == [None])
