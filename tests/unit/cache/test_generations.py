"""A write puts what was known of a bucket out of reach.

This holds with the cache there, away, emptied, or back with an old state.
"""

import threading
import time

import pytest

from service.cache.generations import EVERY_BUCKET, Generations
from service.cache.memory import MemoryCache
from tests.support.caches import SharedCache, Task
from tests.support.clock import Clock
from tests.support.waiting import until


class Rewound(SharedCache):
    """A server that can be put back to what it held, as a restart from a snapshot does."""

    era = "first run"

    def snapshot(self) -> dict[str, tuple[float, bytes]]:
        return dict(self._entries)

    def rewind(self, entries: dict[str, tuple[float, bytes]]) -> None:
        self._entries.clear()
        self._entries.update(entries)
        self.era = "second run"


def test_two_workers_see_the_same_state_until_one_writes() -> None:
    cache = SharedCache()
    one, other = Generations(cache), Generations(cache)
    before = one.of(["a", "b"]).tokens
    assert other.of(["b", "a", "a"]).tokens == before
    other.invalidate("a")
    after = one.of(["a", "b"]).tokens
    assert before is not None and after is not None
    assert [mine == theirs for mine, theirs in zip(before, after, strict=True)] == [True, False, True]


def test_a_write_touches_what_is_about_all_buckets() -> None:
    generations = Generations(MemoryCache(10_000, Clock()))
    before = generations.of([EVERY_BUCKET])
    generations.invalidate("a")
    assert generations.of([EVERY_BUCKET]) != before


def test_a_lost_token_is_a_new_one() -> None:
    cache = SharedCache()
    generations = Generations(cache)
    before = generations.of(["a"]).tokens
    cache.put("generation:a", b"", 0)  # gone
    assert generations.of(["a"]).tokens != before


@pytest.mark.parametrize("spoilt", [b"", b"garbage", b"0123456", b"\xff" * 16])
def test_a_spoilt_token_is_a_new_one_each_time(spoilt: bytes) -> None:
    """Answers that were kept under a spoilt token came back when the same bytes stood there again."""
    cache = SharedCache()
    generations = Generations(cache)
    states = []
    for _ in range(2):
        cache.put("generation:a", spoilt, 60)
        states.append(generations.of(["a"]).tokens)
        generations.invalidate("a")
    assert None not in states
    assert states[0] != states[1]


def test_many_that_find_no_token_at_once_agree_on_one() -> None:
    """Each had put its own; then a burst on a cold cache was several queries instead of one."""

    class Cold(SharedCache):
        def get(self, key: str) -> bytes | None:
            found = super().get(key)
            if found is None:
                barrier.wait(10)
            return found

    barrier, cache = threading.Barrier(8), Cold()
    tasks = [Task(lambda: Generations(cache).of(["a"]).tokens) for _ in range(8)]
    assert len({str(task.result()) for task in tasks}) == 1


def test_a_server_back_from_an_old_snapshot_is_another_state() -> None:
    cache = Rewound()
    generations = Generations(cache)
    before = generations.of(["a"])
    snapshot = cache.snapshot()
    generations.invalidate("a")
    cache.rewind(snapshot)
    after = generations.of(["a"])
    assert after.tokens is not None and before.tokens is not None
    assert after.tokens[1:] == before.tokens[1:], "the old token is back"
    assert after.tokens != before.tokens


def test_while_the_cache_is_away_the_state_is_unknown_and_own_writes_still_count() -> None:
    cache = SharedCache()
    cache.away = True
    generations = Generations(cache)
    before = generations.of(["a"])
    generations.invalidate("a")
    assert before.tokens is None
    assert generations.of(["a"]).invalidations != before.invalidations


def test_a_write_that_the_cache_missed_is_told_to_the_others_without_waiting_for_a_read() -> None:
    cache = SharedCache()
    writer, reader = Generations(cache, retry_s=0.01), Generations(cache)
    before = reader.of(["a"]).tokens
    cache.away = True
    writer.invalidate("a")
    cache.away = False
    until(lambda: reader.of(["a"]).tokens != before)
    until(lambda: writer._retry_thread is None)
    assert writer.of(["a"]).tokens == reader.of(["a"]).tokens


def test_the_first_read_after_such_a_write_tells_it_at_once() -> None:
    cache = SharedCache()
    writer, reader = Generations(cache, retry_s=3600), Generations(cache)
    before = reader.of(["a"]).tokens
    cache.away = True
    writer.invalidate("a")
    cache.away = False
    assert writer.of(["a"]).tokens != before
    assert reader.of(["a"]).tokens == writer.of(["a"]).tokens


def test_a_write_during_the_telling_is_not_lost() -> None:
    class Slow(SharedCache):
        def put(self, key: str, value: bytes, ttl_s: float) -> bool:
            kept = super().put(key, value, ttl_s)
            if kept and arm.is_set():
                arm.clear()
                self.away = True
                generations.invalidate("a")
            return kept

    arm, cache = threading.Event(), Slow()
    generations = Generations(cache, retry_s=3600)
    cache.away = True
    generations.invalidate("a")
    cache.away = False
    arm.set()
    generations.retry()
    assert "a" in generations.pending


def test_a_cache_that_is_off_is_not_waited_for() -> None:
    generations = Generations(MemoryCache(0, Clock()))
    generations.invalidate("a")
    assert generations.pending == frozenset()
    assert generations.of(["a"]).tokens is None


def test_any_bucket_name_will_do() -> None:
    generations = Generations(MemoryCache(10_000, Clock()))
    names = ["", "a b", "Ströme/🔥", "\ud800", "a:b", "\0"]
    assert len(set(generations.of(names).tokens or ())) == len(names) + 1


class Full(SharedCache):
    """A server that answers, and takes nothing while it is `full`. `puts` counts what it was asked to take."""

    full = False
    puts = 0

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        self.puts += 1
        return not self.full and super().put(key, value, ttl_s)


def test_a_write_is_not_forgotten_while_the_cache_takes_no_token() -> None:
    cache = Full()
    generations = Generations(cache, retry_s=3600)
    before = generations.of(["a"]).tokens
    cache.full = True
    generations.invalidate("a")
    for _ in range(3):
        generations.retry()
        assert generations.pending == {"a", EVERY_BUCKET}
    assert generations.of(["a"]).tokens is None, "the cache still gives the token from before the write"
    assert generations.of(["b"]).tokens is not None, "nothing was written to another bucket"
    cache.full = False
    generations.retry()
    assert generations.pending == frozenset()
    assert generations.of(["a"]).tokens not in (before, None)


def test_each_write_is_another_state_also_while_the_cache_is_away() -> None:
    cache = SharedCache()
    cache.away = True
    generations = Generations(cache, retry_s=3600)
    states = [generations.of(["a", "b"]).invalidations]
    for bucket in ("a", "a", "b", "a", "b"):
        generations.invalidate(bucket)
        states.append(generations.of(["a", "b"]).invalidations)
    assert len(set(states)) == 6


def test_one_thread_at_a_time_tries_again_and_ends_when_nothing_is_pending() -> None:
    cache, before = Full(), set(threading.enumerate())
    cache.full = True
    generations = Generations(cache, retry_s=0.01)
    for round_number in range(2):
        cache.full = True
        for name in ("a", "b", "c"):
            generations.invalidate(name)
        [thread] = set(threading.enumerate()) - before
        assert thread.daemon, "the end of the process would wait for a cache that is away"
        cache.full = False
        thread.join(10)
        assert not thread.is_alive(), round_number
        assert generations.pending == frozenset()


def test_a_cache_that_takes_nothing_is_asked_again_after_the_pause_and_not_at_once() -> None:
    cache = Full()
    cache.full = True
    Generations(cache, retry_s=3600).invalidate("a")
    time.sleep(0.05)  # for a thread that would not wait
    assert cache.puts == 2
