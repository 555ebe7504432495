"""Kept windows in front of a real InfluxDB and in a real Redis: the answers are byte for byte those of InfluxDB."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from service.cache.memory import MemoryCache
from service.cache.redis import RedisCache
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import TimeRange
from service.encoding.encoders import Shape
from service.stores.cached.limits import CacheLimits
from tests.support.cache_model import BEGIN_NS, HOUR_NS, MINUTE_NS, History, answer, worker
from tests.support.clock import Clock
from tests.support.servers import InfluxServer, Server, start_redis
from tests.support.stores import influx_store


@pytest.mark.parametrize(("seed", "fns", "steps"), [(401, (), 250), (402, (), 250), (404, (Fn.M4,), 200)])
def test_every_cached_answer_is_the_one_of_influxdb(
    influx: InfluxServer, seed: int, fns: tuple[Fn, ...], steps: int
) -> None:
    played = History(seed, lambda _clock: influx_store(influx), fns=fns)
    try:
        for _ in range(steps):
            played.step()
    finally:
        played.close()
        influx.drop_buckets()
    print(f"seed {seed}: {played.outcomes}")
    assert min(played.outcomes[outcome] for outcome in ("hit", "partial", "miss")) > 5


VALUES = ["a", "a!", "b", "A", "é", r"z\,z", r"a\="]


@pytest.mark.parametrize("fn", list(Fn))
@pytest.mark.parametrize("shape", [Shape.LONG, Shape.WIDE])
def test_pieces_have_the_order_of_the_rows_of_influxdb(influx: InfluxServer, fn: Fn, shape: Shape) -> None:
    """Series with other tags in other pieces, of all types: put together as InfluxDB sorts them."""
    pick, bucket = random.Random(fn.value), influx.new_bucket()
    lines = []
    for _ in range(600):
        keys = [key for key in ("Area", "host", "z!", "zone") if pick.random() < 0.5]
        tags = "".join(f",{key}={pick.choice(VALUES)}" for key in keys)
        field = pick.choice(["f=1.5", "g=2i", "F=3u", "on=true", 't="x"', "a0=2.25"])
        lines.append(f"m{tags} {field} {BEGIN_NS - pick.randrange(40 * HOUR_NS)}")
    influx.write(bucket, "\n".join(lines))
    clock, store = Clock(BEGIN_NS), influx_store(influx)
    outcomes: list[str] = []
    cached = worker(store, MemoryCache(10**8, lambda: clock.now / 1e9), clock, CacheLimits(), outcomes.append).cached
    windows = Windows(5 * MINUTE_NS, fn)
    for begin, end in ((30, 20), (12, 9), (40, 0), (35, 2)):
        span = TimeRange(BEGIN_NS - begin * HOUR_NS, BEGIN_NS - end * HOUR_NS)
        selection = Selection(bucket, span, windows, complete_rows=shape is Shape.WIDE)
        assert answer(cached, selection, shape) == answer(store, selection, shape), span
    cached.close()
    assert outcomes == ["miss", "miss", "partial", "hit"]


@pytest.fixture
def own_redis() -> Iterator[Server]:
    server = start_redis()
    yield server
    server.stop()


def test_whatever_happens_to_redis_the_answers_are_the_same(own_redis: Server, redis_url: str) -> None:
    """It is flushed, spoiled, full, read-only, hung: never for longer than a moment does a read wait for it."""
    url = f"redis://127.0.0.1:{own_redis.port}/0"
    client = redis.Redis.from_url(url, socket_timeout=5)
    mended: list[Callable[[], object]] = []

    def spoil(pick: random.Random) -> None:
        for key in client.scan_iter():
            if pick.random() < 0.3:
                client.set(key, pick.choice([b"", b"garbage", b"0" * 40]))

    def damage(pick: random.Random) -> None:
        while mended:
            mended.pop()()
        match pick.randrange(5):
            case 0:
                client.flushall()
            case 1:
                spoil(pick)
            case 2:
                client.config_set("maxmemory", "1")
                mended.append(lambda: client.config_set("maxmemory", "0"))
            case 3:
                client.replicaof("127.0.0.1", "1")
                mended.append(lambda: client.replicaof("NO", "ONE"))
            case _:
                own_redis.freeze()
                mended.append(own_redis.thaw)

    played = History(501, None, lambda clock: RedisCache(url, lambda: clock.now / 1e9), damage)
    try:
        for _ in range(1_500):
            played.step()
    finally:
        own_redis.thaw()
        played.close()
        client.close()
    print(played.outcomes)
    assert min(played.outcomes[outcome] for outcome in ("hit", "partial", "miss")) > 5
    assert played.outcomes["bypass; reason=cache-away"] > 5


def test_one_of_two_processes_asks_for_what_both_lack(own_redis: Server, influx: InfluxServer) -> None:
    """Fifty cold requests over two workers that share a Redis: one query per piece."""
    bucket = influx.new_bucket()
    influx.write(bucket, "\n".join(f"m v={minute} {BEGIN_NS - minute * MINUTE_NS}" for minute in range(600)))
    asked: list[TimeRange] = []
    store = influx_store(influx)
    plain_read = store.read

    def counted_read(selection: Selection) -> object:
        asked.append(selection.span)
        time.sleep(0.3)
        return plain_read(selection)

    store.read = counted_read  # type: ignore[method-assign, assignment]
    clock = Clock(BEGIN_NS)
    url = f"redis://127.0.0.1:{own_redis.port}/0"
    workers = [
        worker(store, RedisCache(url, time.monotonic), clock, CacheLimits(), lambda _: None).cached for _ in range(2)
    ]
    selection = Selection(bucket, TimeRange(BEGIN_NS - 8 * HOUR_NS + 1, BEGIN_NS - 1), Windows(MINUTE_NS))
    answers: list[bytes] = []

    def ask(number: int) -> None:
        answers.append(answer(workers[number % 2], selection, Shape.LONG))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in workers:
        one.close()
    assert (len(answers), len(set(answers))) == (50, 1)
    assert asked == [selection.span]
