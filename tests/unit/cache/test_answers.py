"""Whole answers: kept, shared and made, with real threads and no sleeping."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from service.cache.answers import AnswerCache, CancelToken, Served
from service.cache.memory import MemoryCache
from service.cache.single_flight import Produced
from service.errors import StoreBroken, TooManyReads
from tests.support.caches import Task, body, waiting
from tests.support.waiting import until

LIMIT = 1_000
WAIT_S = 10


class Maker:
    """Makes an answer of chunks, each let go by the test."""

    def __init__(self, chunks: list[bytes], free: bool = True, fails_at: int | None = None) -> None:
        self.chunks = chunks
        self.gates = [threading.Event() for _ in range(len(chunks) + 1)]
        self.made = 0
        self.cancelled = threading.Event()
        self.fails_at = fails_at
        if free:
            self.let_go()

    def let_go(self, upto: int | None = None) -> None:
        for gate in self.gates[:upto]:
            gate.set()

    def __call__(self) -> Produced:
        self.made += 1
        return Produced({"X": "y"}, self._pieces(), self.cancelled.set)

    def _pieces(self) -> Iterator[bytes]:
        for place, chunk in enumerate(self.chunks):
            while not self.gates[place].wait(0.01):
                if self.cancelled.is_set():
                    return
            if place == self.fails_at:
                raise StoreBroken("cut")
            yield chunk
        self.gates[-1].wait(WAIT_S)


def answers(limit: int = LIMIT) -> AnswerCache:
    return AnswerCache(MemoryCache(10_000_000, time.monotonic), limit, time.time)


def together(*acts: Callable[[], object]) -> list[object]:
    """Run in threads; results (or exceptions) in order."""
    results: list[object] = [None] * len(acts)

    def run(place: int) -> None:
        try:
            results[place] = acts[place]()
        except Exception as error:  # noqa: BLE001 - handed to the thread that asserts
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return results


def test_an_answer_is_made_once_and_then_a_hit_with_its_age_and_size() -> None:
    cache, maker = answers(), Maker([b"a", b"b"])
    first = cache.serve("k", ["b"], 60, maker)
    assert (first.outcome, body(first)) == ("miss", b"ab")
    until(lambda: not cache.under_way)
    second = cache.serve("k", ["b"], 60, maker)
    assert (second.outcome, second.headers, body(second), second.size_bytes) == ("hit", {"X": "y"}, b"ab", 2)
    assert maker.made == 1


def test_identical_requests_under_way_share_one_making() -> None:
    cache, maker = answers(), Maker([b"a", b"b"], free=False)
    served: list[Served] = []

    def ask() -> bytes:
        one = cache.serve("k", ["b"], 60, maker)
        served.append(one)
        return body(one)

    Task(lambda: (until(lambda: waiting(cache) == 20), maker.let_go()))
    assert together(*[ask] * 20) == [b"ab"] * 20
    assert maker.made == 1
    assert sorted(one.outcome for one in served) == ["miss"] + ["shared"] * 19


def test_one_that_joins_later_reads_from_the_start() -> None:
    cache, maker = answers(), Maker([b"a", b"b", b"c"], free=False)
    maker.let_go(2)
    first = cache.serve("k", ["b"], 60, maker)
    assert [next(first.chunks), next(first.chunks)] == [b"a", b"b"]
    second = cache.serve("k", ["b"], 60, maker)
    maker.let_go()
    assert (second.outcome, body(second), body(first)) == ("shared", b"abc", b"c")


def test_the_first_client_leaving_fails_nobody() -> None:
    cache, maker = answers(), Maker([b"a", b"b"], free=False)
    maker.let_go(1)
    first = cache.serve("k", ["b"], 60, maker)
    second = cache.serve("k", ["b"], 60, maker)
    first.close()
    first.close()
    maker.let_go()
    assert body(second) == b"ab"


def test_when_the_last_one_leaves_the_making_is_ended() -> None:
    cache, maker = answers(), Maker([b"a", b"b"], free=False)
    maker.let_go(1)
    served = cache.serve("k", ["b"], 60, maker)
    served.close()
    assert maker.cancelled.wait(WAIT_S)
    until(lambda: not cache.under_way)
    assert body(cache.serve("k", ["b"], 60, Maker([b"new"]))) == b"new"


def test_a_failure_before_the_first_chunk_reaches_all_who_wait_and_is_not_kept() -> None:
    cache, maker = answers(), Maker([b"a"], free=False, fails_at=0)
    Task(lambda: (until(lambda: waiting(cache) == 3), maker.let_go()))
    results = together(*[lambda: cache.serve("k", ["b"], 60, maker)] * 3)
    assert [type(result) for result in results] == [StoreBroken] * 3
    until(lambda: not cache.under_way)
    assert body(cache.serve("k", ["b"], 60, Maker([b"ok"]))) == b"ok"


def test_a_failure_in_the_middle_is_raised_where_it_happened_and_not_kept() -> None:
    cache, maker = answers(), Maker([b"a", b"b"], fails_at=1)
    served = cache.serve("k", ["b"], 60, maker)
    assert next(served.chunks) == b"a"
    with pytest.raises(StoreBroken):
        next(served.chunks)
    served.close()
    until(lambda: not cache.under_way)
    assert cache.serve("k", ["b"], 60, Maker([b"ok"])).outcome == "miss"


def test_what_producing_refuses_is_refused_to_the_caller() -> None:
    def refuse() -> Produced:
        raise TooManyReads("full")

    with pytest.raises(TooManyReads):
        answers().serve("k", ["b"], 60, refuse)


def test_an_answer_beyond_the_limit_passes_through_and_is_neither_kept_nor_joined() -> None:
    cache, maker = answers(limit=10), Maker([b"x" * 8, b"y" * 8, b"z" * 8], free=False)
    maker.let_go(2)
    first = cache.serve("k", ["b"], 60, maker)
    assert [next(first.chunks), next(first.chunks)] == [b"x" * 8, b"y" * 8]
    other = Maker([b"own"])
    assert body(cache.serve("k", ["b"], 60, other)) == b"own"
    maker.let_go()
    assert body(first) == b"z" * 8
    until(lambda: not cache.under_way)
    assert maker.made == other.made == 1


def test_a_large_answer_stays_small_in_memory_however_slow_the_client() -> None:
    chunk = b"x" * 1_000_000
    cache, made = answers(limit=10), []

    def pieces() -> Iterator[bytes]:
        for number in range(40):
            made.append(number)
            yield chunk

    served = cache.serve("k", ["b"], 60, lambda: Produced({}, pieces(), lambda: None))
    next(served.chunks)
    before = -1
    while before != len(made):
        before = len(made)
        time.sleep(0.2)
    assert len(made) <= 8
    assert 1_000_000 + len(body(served)) == 40_000_000


def test_touching_a_bucket_drops_what_is_known_of_it_and_nothing_else() -> None:
    cache = answers()
    for bucket in ("a", "b"):
        body(cache.serve(f"k{bucket}", [bucket], 60, Maker([b"old"])))
    until(lambda: not cache.under_way)
    cache.invalidate("a")
    assert cache.serve("ka", ["a"], 60, Maker([b"new"])).outcome == "miss"
    assert cache.serve("kb", ["b"], 60, Maker([b"new"])).outcome == "hit"


def test_a_read_that_began_before_a_write_is_not_given_to_those_after_it() -> None:
    cache, maker = answers(), Maker([b"old"], free=False)
    results: list[bytes] = []
    reader = threading.Thread(target=lambda: results.append(body(cache.serve("k", ["b"], 60, maker))))
    reader.start()
    until(lambda: maker.made == 1)
    cache.invalidate("b")
    assert body(cache.serve("k", ["b"], 60, Maker([b"new"]))) == b"new"
    maker.let_go()
    reader.join(WAIT_S)
    assert results == [b"old"]
    until(lambda: not cache.under_way)
    assert body(cache.serve("k", ["b"], 60, Maker([b"never"]))) == b"new"


def test_who_asks_for_a_fresh_answer_neither_looks_nor_joins() -> None:
    cache, maker = answers(), Maker([b"old"], free=False)
    threading.Thread(target=lambda: body(cache.serve("k", ["b"], 60, maker)), daemon=True).start()
    until(lambda: maker.made == 1)
    served = cache.serve("k", ["b"], 60, Maker([b"fresh"]), fresh=True)
    assert (served.outcome, served.reason, body(served)) == ("bypass", "asked", b"fresh")
    maker.let_go()


def test_without_a_time_nothing_is_kept() -> None:
    cache = answers()
    outcomes = [cache.serve("k", ["b"], 0, Maker([b"x"])) for _ in range(2)]
    assert [(one.outcome, one.reason, body(one)) for one in outcomes] == [("bypass", "off", b"x")] * 2 or outcomes[
        1
    ].outcome == "shared"


def test_each_outcome_is_told() -> None:
    told: list[str] = []
    cache = AnswerCache(MemoryCache(10_000, time.monotonic), LIMIT, time.time, told.append)
    body(cache.serve("k", ["b"], 60, Maker([b"x"])))
    until(lambda: not cache.under_way)
    body(cache.serve("k", ["b"], 60, Maker([b"x"])))
    assert told == ["miss", "hit"]


def test_a_client_that_leaves_before_the_first_chunk_ends_the_making_and_its_wait() -> None:
    cache, maker, cancel_token = answers(), Maker([b"a"], free=False), CancelToken()

    def wait() -> None:
        with pytest.raises(StoreBroken):
            cache.serve("k", ["b"], 60, maker, cancel_token=cancel_token)

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: maker.made == 1)
    cancel_token.cancel()
    cancel_token.cancel()
    waiting.join(WAIT_S)
    assert not waiting.is_alive()
    assert maker.cancelled.wait(WAIT_S)


def test_one_that_left_before_it_asked_is_not_served() -> None:
    cache, maker, cancel_token = answers(), Maker([b"a"], free=False), CancelToken()
    cancel_token.cancel()
    with pytest.raises(StoreBroken):
        cache.serve("k", ["b"], 60, maker, cancel_token=cancel_token)
