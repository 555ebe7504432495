"""What every cache promises, held against each adapter."""

import time
from collections.abc import Iterator

import pytest
import redis

from service.cache.memory import MemoryCache
from service.cache.protocol import Cache
from service.cache.redis import RedisCache


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    if request.param == "memory":
        made: Cache = MemoryCache(20_000_000, time.monotonic)
    else:
        url = request.getfixturevalue("redis_url")
        redis.Redis.from_url(url).flushdb()
        made = RedisCache(url, time.monotonic)
    yield made
    made.close()


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"text", bytes(range(256)) * 8192], ids=["empty", "zero", "short", "2 MB"]
)
def test_a_value_comes_back_as_it_was_put(cache: Cache, value: bytes) -> None:
    assert cache.put("k", value, 60) is True
    assert cache.get("k") == value
    assert cache.get("other") is None


def test_a_later_value_replaces_an_older_one(cache: Cache) -> None:
    cache.put("k", b"1", 60)
    cache.put("k", b"2", 60)
    assert cache.get("k") == b"2"


def test_adding_keeps_what_is_there(cache: Cache) -> None:
    assert [cache.swap("k", None, b"1", 60), cache.swap("k", None, b"2", 60)] == [True, False]
    assert cache.get("k") == b"1"


def test_a_value_without_time_is_not_kept(cache: Cache) -> None:
    assert [cache.put("k", b"1", 0), cache.swap("k", None, b"1", 0)] == [False, False]
    assert cache.get("k") is None


def test_a_value_is_gone_after_its_time(cache: Cache) -> None:
    cache.put("k", b"1", 0.02)
    deadline = time.monotonic() + 5
    while cache.get("k") is not None:
        assert time.monotonic() < deadline
    assert cache.swap("k", None, b"2", 60) is True


@pytest.mark.parametrize("key", ["", "a b", "Ströme/🔥", "\ud800", "x\0y", "k" * 5_000])
def test_any_name_will_do(cache: Cache, key: str) -> None:
    cache.put(key, b"1", 60)
    assert cache.get(key) == b"1"


def test_a_lock_has_one_holder(cache: Cache) -> None:
    token = cache.lock("k", 60)
    assert token is not None
    assert cache.lock("k", 60) is None
    assert cache.lock("other", 0.001) is not None
    cache.unlock("k", "not the token")
    assert cache.lock("k", 60) is None
    assert cache.extend("k", "not the token", 60) is False
    assert cache.extend("k", token, 60) is True
    cache.unlock("k", token)
    assert cache.extend("k", token, 60) is False
    assert cache.lock("k", 60) is not None


def test_it_is_there(cache: Cache) -> None:
    cache.ping()
