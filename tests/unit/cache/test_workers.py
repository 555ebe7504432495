"""Several workers on one cache.

One makes the answer, whoever holds the turn, and nobody waits for what will not come.
"""

import threading
import time

import pytest

from service.cache import coordinated_producer
from service.cache.answers import AnswerCache, CancelToken
from service.errors import StoreBroken, StoreUnavailable
from tests.support.caches import Recipe, SharedCache, Task, asking, body, landed, waiting
from tests.support.clock import Clock
from tests.support.waiting import until


def workers(cache: SharedCache, count: int = 2, limit: int = 1_000) -> list[AnswerCache]:
    return [AnswerCache(cache, limit, time.time) for _ in range(count)]


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_two_workers_share_one_making_and_the_second_says_so() -> None:
    cache, recipe = SharedCache(), Recipe(b"a", b"b", held=True)
    one, other = workers(cache)
    first = Task(asking(one, recipe))
    assert recipe.begun.wait(10)
    second = Task(asking(other, recipe))
    assert cache.refused.acquire(timeout=10)
    recipe.let_go()
    assert [first.result(), second.result()] == [("miss", b"ab"), ("shared", b"ab")]
    assert recipe.made == 1
    landed(one)
    landed(other)
    (name,) = cache.locks
    assert cache.lock(name, 5.0) is not None, "the turn is given back"


def test_who_waits_pauses_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinated_producer, "_FIRST_POLL_S", 2.0)
    cache, recipe = SharedCache(), Recipe(b"a", held=True)
    one, other = workers(cache)
    first = Task(asking(one, recipe))
    assert recipe.begun.wait(10)
    Task(asking(other, recipe))
    assert cache.refused.acquire(timeout=10)
    assert not cache.refused.acquire(timeout=0.05)
    recipe.let_go()
    assert first.result() == ("miss", b"a")


def test_what_another_worker_made_keeps_its_age_and_its_end() -> None:
    clock, cache, recipe = Clock(), SharedCache(), Recipe(b"a", held=True)
    one, other = (AnswerCache(cache, 1_000, clock) for _ in range(2))
    first = Task(asking(one, recipe))
    assert recipe.begun.wait(10)
    second = Task(lambda: other.serve("k", ["b"], 60, recipe))
    assert cache.refused.acquire(timeout=10)
    clock.now += 7
    recipe.let_go()
    first.result()
    kept_until = dict(cache.answers)
    served = second.result()
    assert served.age_s == 7.0  # type: ignore[attr-defined]
    assert body(served) == b"a"  # type: ignore[arg-type]
    landed(other)
    assert cache.answers == kept_until
    assert len(kept_until) == 1


def test_a_worker_that_fails_passes_the_turn_on() -> None:
    cache, failing, working = SharedCache(), Recipe(StoreUnavailable("down"), held=True), Recipe(b"ok")
    one, other = workers(cache)
    first = Task(asking(one, failing))
    assert failing.begun.wait(10)
    second = Task(asking(other, working))
    assert cache.refused.acquire(timeout=10)
    failing.let_go()
    with pytest.raises(StoreUnavailable):
        first.result()
    assert second.result() == ("miss", b"ok")


def test_nobody_waits_for_an_answer_that_outgrew_the_limit() -> None:
    chunks = (b"x" * 8, b"y" * 8, b"z")
    cache, big = SharedCache(), Recipe(*chunks, held=True)
    one, other, third = workers(cache, 3, limit=10)
    first = Task(asking(one, big))
    assert big.begun.wait(10)
    own = [Recipe(*chunks, held=True) for _ in range(2)]
    tasks = [Task(asking(worker, recipe)) for worker, recipe in zip((other, third), own, strict=True)]
    assert cache.refused.acquire(timeout=10)
    big.let_go(2)
    assert all(recipe.begun.wait(10) for recipe in own), "one waits for the other"
    for recipe in own:
        recipe.let_go()
    assert [task.result() for task in tasks] == [("miss", b"xxxxxxxxyyyyyyyyz")] * 2
    big.let_go()
    assert first.result() == ("miss", b"xxxxxxxxyyyyyyyyz")


def test_the_turn_is_free_as_soon_as_the_answer_has_outgrown_the_limit() -> None:
    cache, big = SharedCache(), Recipe(b"x" * 8, b"y" * 8, b"z", held=True)
    (worker,) = workers(cache, 1, limit=10)
    asked = Task(asking(worker, big))
    assert big.begun.wait(10)
    (name,) = cache.locks
    assert cache.lock(name, 5.0) is None
    big.let_go(2)
    until(lambda: cache.lock(name, 5.0) is not None)
    big.let_go()
    assert asked.result() == ("miss", b"xxxxxxxxyyyyyyyyz")


def test_a_turn_is_kept_as_long_as_the_store_takes_and_lost_soon_after_a_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinated_producer, "_RENEW_S", 0.005)
    clock = Clock()
    cache, recipe = SharedCache(clock), Recipe(b"a", held=True)
    (one,) = workers(cache, 1)
    asked = Task(asking(one, recipe))
    assert recipe.begun.wait(10)
    (name,) = cache.locks
    for _ in range(3):
        held_until = cache.locks[name]
        clock.now += 2
        until(lambda before=held_until: cache.locks[name] > before)  # type: ignore[misc]
    assert cache.lock(name, 5.0) is None
    until(lambda: [thread.daemon for thread in threads("renewing-lock")] == [True])  # no process waits for it to end
    recipe.let_go()
    assert asked.result() == ("miss", b"a")
    landed(one)
    until(lambda: not threads("renewing-lock"))
    dead = cache.lock(name, coordinated_producer.LOCK_S)
    clock.now += 3.0
    assert dead is not None
    assert cache.lock(name, 5.0) is not None


def test_a_turn_outlives_two_renewals_that_are_lost() -> None:
    assert 0 < 3 * coordinated_producer._RENEW_S <= coordinated_producer.LOCK_S


def test_waiting_for_another_worker_ends_when_the_cache_dies() -> None:
    cache, stuck, own = SharedCache(), Recipe(b"a", held=True), Recipe(b"a")
    one, other = workers(cache)
    first = Task(asking(one, stuck))
    assert stuck.begun.wait(10)
    second = Task(asking(other, own))
    assert cache.refused.acquire(timeout=10)
    cache.away = True
    assert second.result() == ("miss", b"a")
    stuck.let_go()
    assert first.result() == ("miss", b"a")


def test_a_client_that_leaves_while_another_worker_makes_the_answer_asks_the_store_nothing() -> None:
    cache, stuck, own = SharedCache(), Recipe(b"a", held=True), Recipe(b"a")
    one, other = workers(cache)
    first = Task(asking(one, stuck))
    assert stuck.begun.wait(10)
    leaving = CancelToken()
    second = Task(lambda: other.serve("k", ["b"], 60, own, cancel_token=leaving))
    assert cache.refused.acquire(timeout=10)
    leaving.cancel()
    with pytest.raises(StoreBroken):
        second.result()
    stuck.let_go()
    assert first.result() == ("miss", b"a")
    landed(other)
    assert own.made == 0


def test_a_write_during_a_read_elsewhere_is_not_waited_for_nor_answered_with_it() -> None:
    cache, old = SharedCache(), Recipe(b"old", held=True)
    one, other = workers(cache)
    first = Task(asking(one, old))
    assert old.begun.wait(10)
    other.invalidate("b")
    assert asking(other, Recipe(b"new"))() == ("miss", b"new")
    old.let_go()
    assert first.result() == ("miss", b"old")
    landed(one)
    assert [asking(worker, Recipe(b"never"))() for worker in (one, other)] == [("hit", b"new")] * 2


def test_twenty_at_once_over_two_workers_are_one_making() -> None:
    cache, recipe = SharedCache(), Recipe(b"a" * 500, held=True)
    both = workers(cache)
    barrier = threading.Barrier(20)

    def ask(worker: AnswerCache) -> bytes:
        barrier.wait(10)
        return asking(worker, recipe)()[1]

    tasks = [Task(lambda worker=both[place % 2]: ask(worker)) for place in range(20)]  # type: ignore[misc]
    until(lambda: sum(map(waiting, both)) == 20)
    recipe.let_go()
    assert [task.result() for task in tasks] == [b"a" * 500] * 20
    assert recipe.made == 1
