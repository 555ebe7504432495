"""The cache in the process: bounded in bytes and in time."""

from service.cache.memory import MemoryCache
from tests.support.clock import Clock


def test_a_value_lives_for_its_time() -> None:
    clock = Clock(0.0)
    cache = MemoryCache(10_000, clock)
    assert cache.put("k", b"v", 2.0) is True
    clock.now = 1.9
    assert cache.get("k") == b"v"
    clock.now = 2.0
    assert cache.get("k") is None
    assert cache.size_bytes == 0


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(3 * (200 + 1 + 100), Clock(0.0))
    for key in "abc":
        cache.put(key, b"x" * 100, 9.0)
    cache.get("a")
    cache.put("d", b"x" * 100, 9.0)
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]


def test_a_value_larger_than_the_cache_and_one_without_time_are_not_kept() -> None:
    cache = MemoryCache(1_000, Clock(0.0))
    assert [cache.put("big", b"x" * 1_000, 9.0), cache.put("none", b"x", 0.0)] == [False, False]
    assert cache.size_bytes == 0


def test_replacing_gives_the_bytes_back() -> None:
    cache = MemoryCache(10_000, Clock(0.0))
    cache.put("k", b"x" * 500, 9.0)
    cache.put("k", b"y", 9.0)
    assert cache.size_bytes == 202


def test_a_lock_has_one_holder_until_it_is_given_back_or_over() -> None:
    clock = Clock(0.0)
    cache = MemoryCache(1_000, clock)
    first = cache.lock("k", 5.0)
    assert first is not None and cache.lock("k", 5.0) is None
    cache.unlock("k", "another")
    assert cache.lock("k", 5.0) is None
    cache.unlock("k", first)
    second = cache.lock("k", 5.0)
    clock.now = 5.0
    assert second is not None and cache.lock("k", 5.0) is not None
