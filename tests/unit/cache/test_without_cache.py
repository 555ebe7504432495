"""Caching turned off, or the cache away: the same answers, still made once for all who ask at the same moment."""

import threading
import time

import pytest

from service.cache.answers import AnswerCache
from service.cache.codec import pack
from service.cache.memory import MemoryCache
from tests.support.caches import Recipe, SharedCache, Task, asking, body, landed, waiting
from tests.support.clock import Clock
from tests.support.waiting import until

MB = 1024 * 1024


def away() -> SharedCache:
    cache = SharedCache()
    cache.away = True
    return cache


@pytest.mark.parametrize(
    ("cache", "ttl_s", "reason"),
    [(away(), 60, "cache away"), (MemoryCache(0, Clock()), 0, "off"), (SharedCache(), 0, "off")],
    ids=["away", "switched off", "no time to keep it"],
)
def test_who_asks_at_the_same_moment_shares_one_making(cache: MemoryCache, ttl_s: float, reason: str) -> None:
    answers, recipe = AnswerCache(cache, 1_000, time.time), Recipe(b"a", held=True)
    reasons: list[str] = []

    def ask() -> tuple[str, bytes]:
        served = answers.serve("k", ["b"], ttl_s, recipe)
        reasons.append(served.reason)
        return served.outcome, body(served)

    tasks = [Task(ask) for _ in range(10)]
    until(lambda: waiting(answers) == 10)
    recipe.let_go()
    assert sorted(str(task.result()) for task in tasks) == sorted(["('bypass', b'a')"] + ["('shared', b'a')"] * 9)
    assert (recipe.made, set(reasons)) == (1, {reason})
    landed(answers)
    assert asking(answers, Recipe(b"next"), ttl_s)() == ("bypass", b"next"), "nothing was kept"


def test_an_own_write_is_seen_by_the_next_read_with_the_cache_away() -> None:
    answers, old = AnswerCache(away(), 1_000, time.time), Recipe(b"old", held=True)
    reading = Task(asking(answers, old))
    assert old.begun.wait(10)
    answers.invalidate("b")
    assert asking(answers, Recipe(b"new"))() == ("bypass", b"new")
    old.let_go()
    assert reading.result() == ("bypass", b"old")


def test_with_a_shared_cache_away_only_a_young_read_is_joined() -> None:
    """Another worker may have written since, and nobody can say so."""
    clock = Clock()
    answers, old = AnswerCache(away(), 1_000, time.time, monotonic=clock), Recipe(b"old", held=True)
    first = Task(asking(answers, old))
    assert old.begun.wait(10)
    clock.now += 1.5
    assert asking(answers, Recipe(b"new"))() == ("bypass", b"new")
    old.let_go()
    assert first.result() == ("bypass", b"old")


def test_a_cache_that_dies_in_the_middle_changes_nothing_for_the_client() -> None:
    clock, recipe = Clock(), Recipe(b"a", b"b", held=True)
    cache = SharedCache(clock)
    answers = AnswerCache(cache, 1_000, time.time)
    reading = Task(asking(answers, recipe))
    assert recipe.begun.wait(10)
    recipe.let_go(1)
    cache.away = True
    recipe.let_go()
    assert reading.result() == ("miss", b"ab")
    assert asking(answers, Recipe(b"ab"))() == ("bypass", b"ab")
    cache.away = False
    clock.now += 3  # the turn that could not be given back has run out
    assert asking(answers, Recipe(b"ab"))() == ("miss", b"ab")


@pytest.mark.parametrize(
    "spoiled", [b"", b"garbage", b"fga1\xff\xff\xff\xff", pack(0.0, {"X": "y"}, [b"ab"])[:-1], b"fga1\0\0\0\2[]"]
)
def test_a_spoiled_value_is_a_miss(spoiled: bytes) -> None:
    cache = SharedCache()
    answers = AnswerCache(cache, 1_000, time.time)
    asking(answers, Recipe(b"ab"))()
    landed(answers)
    (name,) = cache.answers
    cache.put(name, spoiled, 60)
    assert asking(answers, Recipe(b"again"))() == ("miss", b"again")


class NamedValues(MemoryCache):
    """Notes under which names answers are kept."""

    def __init__(self) -> None:
        super().__init__(10 * MB, Clock())
        self.names: list[str] = []

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        if not key.startswith("generation:"):
            self.names.append(key)
        return super().put(key, value, ttl_s)


def test_a_hit_is_served_in_views_of_the_one_value_that_is_kept() -> None:
    cache, answer = NamedValues(), bytes(range(256)) * (10 * 1024)
    answers = AnswerCache(cache, 8 * MB, time.time)
    asking(answers, Recipe(answer))()
    landed(answers)
    served = answers.cached("k", ["b"], 60)
    assert served is not None
    chunks = list(served.chunks)
    (kept,) = map(cache.get, cache.names)
    assert all(isinstance(chunk, memoryview) and chunk.obj is kept for chunk in chunks)
    assert [len(chunk) for chunk in chunks] == [MB, MB, MB // 2]
    assert b"".join(chunks) == answer


def test_the_age_counts_from_the_question_to_the_store() -> None:
    clock, recipe = Clock(), Recipe(b"a", held=True)
    answers = AnswerCache(MemoryCache(10_000, Clock()), 1_000, clock)
    reading = Task(asking(answers, recipe))
    assert recipe.begun.wait(10)
    clock.now += 3
    recipe.let_go()
    reading.result()
    landed(answers)
    assert answers.serve("k", ["b"], 60, recipe).age_s == 3.0


def test_no_thread_is_left_behind() -> None:
    before = set(threading.enumerate())
    answers = AnswerCache(SharedCache(), 1_000, time.time)
    for number in range(20):
        served = answers.serve(f"k{number}", ["b"], 60, Recipe(b"a"))
        assert body(served) == b"a"
    until(lambda: set(threading.enumerate()) <= before)
