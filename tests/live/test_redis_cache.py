"""The cache on a real Redis: shared, and never more than a matter of speed."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from service.cache.answers import AnswerCache
from service.cache.generations import Generations
from service.cache.redis import RedisCache
from service.cache.single_flight import Produced
from service.stores.cached.changes import Changes
from tests.support.clock import Clock
from tests.support.servers import Server, free_port
from tests.support.waiting import until


@pytest.fixture
def raw(redis_url: str) -> redis.Redis:
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    return client


@pytest.fixture
def cache(redis_url: str, raw: redis.Redis) -> Iterator[RedisCache]:
    made = RedisCache(redis_url, time.monotonic)
    yield made
    made.close()


def making(text: bytes, made: list[bytes], before: Callable[[], object] = lambda: None) -> Callable[[], Produced]:
    def produce() -> Produced:
        made.append(text)
        before()
        return Produced({"X": "y"}, iter([text]), lambda: None)

    return produce


def ask(answers: AnswerCache, produce: Callable[[], Produced], key: str = "k") -> tuple[str, bytes]:
    served = answers.serve(key, ["b"], 60, produce)
    try:
        return served.outcome, b"".join(served.chunks)
    finally:
        served.close()


@pytest.mark.parametrize("value", [b"", b"x", bytes(range(256)) * 10_000])
def test_values_come_back_as_they_were(cache: RedisCache, value: bytes) -> None:
    assert cache.put("k", value, 60) is True
    assert cache.get("k") == value


def test_large_values_are_packed(cache: RedisCache, raw: redis.Redis) -> None:
    cache.put("k", b"x" * 3_000_000, 60)
    assert len(raw.get("fluxgate:1:k") or b"") < 100_000


@pytest.mark.parametrize(
    "foreign", [b"", b"?", b"0", b"1short", b"1" + b"\xff" * 50, b"1" + (2**62).to_bytes(8, "big") + b"x"]
)
def test_foreign_values_are_a_miss_and_never_an_error(cache: RedisCache, raw: redis.Redis, foreign: bytes) -> None:
    raw.set("fluxgate:1:k", foreign)
    assert cache.get("k") in (None, b"")
    made: list[bytes] = []
    assert ask(AnswerCache(cache, 1000, time.time), making(b"own", made)) == ("miss", b"own")


def test_a_value_that_nobody_can_read_is_replaced_once(cache: RedisCache, raw: redis.Redis) -> None:
    """It was absent for who read it and there for who put one, so its bucket was out of the cache for 30 days."""
    raw.set("fluxgate:1:generation:b", b"foreign")
    assert Generations(cache).of(["b"]).tokens is not None
    raw.set("fluxgate:1:changes:b", b"foreign")
    stamp = Changes(cache).stamp("b")
    assert stamp is not None and stamp == Changes(cache).stamp("b")
    raw.set("fluxgate:1:k", b"foreign")
    assert [cache.swap("k", None, text, 60) for text in (b"first", b"second")] == [True, False]
    assert cache.get("k") == b"first"


def test_a_lock_is_held_by_one_process_and_given_back_by_its_token(cache: RedisCache, redis_url: str) -> None:
    other = RedisCache(redis_url, time.monotonic)
    token = cache.lock("k", 30)
    assert token is not None and other.lock("k", 30) is None
    other.unlock("k", "wrong")
    assert other.lock("k", 30) is None
    cache.unlock("k", token)
    assert other.lock("k", 30) is not None


def test_two_workers_make_a_stale_answer_anew_once(redis_url: str, raw: redis.Redis) -> None:
    waiting: list[Callable[[], None]] = []
    clock = Clock(1_000_000.0)
    workers = [
        AnswerCache(RedisCache(redis_url, time.monotonic), 1000, clock, in_background=waiting.append) for _ in range(2)
    ]
    made: list[bytes] = []

    def asked(worker: AnswerCache, body: bytes) -> tuple[str, bytes, float]:
        served = worker.serve("k", ["b"], 10, making(body, made), stale_s=60)
        return served.outcome, b"".join(served.chunks), served.age_s

    assert asked(workers[0], b"first") == ("miss", b"first", 0)
    clock.now += 30
    assert [asked(worker, b"second") for worker in workers * 2] == [("stale", b"first", 30)] * 4
    assert len(waiting) == 1
    waiting.pop()()
    assert [asked(worker, b"third") for worker in workers] == [("hit", b"second", 0)] * 2
    clock.now += 30
    assert asked(workers[1], b"fourth")[0] == "stale"
    workers[0].invalidate("b")
    assert asked(workers[1], b"fifth") == ("miss", b"fifth", 0)
    waiting.pop()()
    assert asked(workers[0], b"sixth") == ("hit", b"fifth", 0)


def test_two_workers_share_one_making(redis_url: str, raw: redis.Redis) -> None:
    workers = [AnswerCache(RedisCache(redis_url, time.monotonic), 1000, time.time) for _ in range(2)]
    ask(workers[0], making(b"warm", []), "warm")
    made: list[bytes] = []
    going = threading.Event()
    results: list[tuple[str, bytes]] = []

    def work(worker: AnswerCache) -> None:
        results.append(ask(worker, making(b"once", made, lambda: going.wait(10))))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    until(lambda: made)
    time.sleep(0.2)
    going.set()
    for thread in threads:
        thread.join(20)
    assert [text for _, text in results] == [b"once", b"once"]
    assert made == [b"once"]


def test_a_write_through_one_worker_is_seen_by_the_other(redis_url: str, raw: redis.Redis) -> None:
    one, other = (AnswerCache(RedisCache(redis_url, time.monotonic), 1000, time.time) for _ in range(2))
    ask(one, making(b"old", []))
    until(lambda: ask(other, making(b"old", [])) == ("hit", b"old"))
    one.invalidate("b")
    assert ask(other, making(b"new", [])) == ("miss", b"new")


def test_an_emptied_redis_means_misses_and_no_stale_answer(redis_url: str, raw: redis.Redis) -> None:
    answers = AnswerCache(RedisCache(redis_url, time.monotonic), 1000, time.time)
    ask(answers, making(b"old", []))
    raw.flushall()
    assert ask(answers, making(b"new", [])) == ("miss", b"new")


def test_a_hung_redis_costs_one_short_wait_and_then_nothing(
    redis_server: Server, redis_url: str, raw: redis.Redis
) -> None:
    answers = AnswerCache(RedisCache(redis_url, time.monotonic), 1000, time.time)
    redis_server.freeze()
    try:
        began = time.monotonic()
        assert ask(answers, making(b"x", []))[1] == b"x"
        assert time.monotonic() - began < 5
        began = time.monotonic()
        for _ in range(20):
            assert ask(answers, making(b"x", []))[1] == b"x"
        assert time.monotonic() - began < 5, "each waits half a second"
    finally:
        redis_server.thaw()


def test_redis_away_at_a_write_makes_that_worker_ask_the_store(
    redis_server: Server, redis_url: str, raw: redis.Redis
) -> None:
    clock = Clock()
    answers = AnswerCache(RedisCache(redis_url, clock), 1000, time.time)
    ask(answers, making(b"old", []))
    redis_server.freeze()
    try:
        answers.invalidate("b")
        served = answers.serve("k", ["b"], 60, making(b"new", []))
        assert (served.outcome, served.reason, b"".join(served.chunks)) == ("bypass", "cache away", b"new")
        served.close()
    finally:
        redis_server.thaw()
    clock.now += 60
    assert ask(answers, making(b"newer", [])) == ("miss", b"newer")


def test_no_redis_at_all_gives_the_same_answers_and_ping_says_so() -> None:
    away = RedisCache(f"redis://127.0.0.1:{free_port()}/0", time.monotonic)
    assert ask(AnswerCache(away, 1000, time.time), making(b"x", []))[1] == b"x"
    with pytest.raises(redis.RedisError):
        away.ping()
