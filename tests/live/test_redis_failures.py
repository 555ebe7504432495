"""A real Redis that is killed, restarted from a snapshot, spoiled or silent: the answers are the same."""

import multiprocessing
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from service.cache.answers import AnswerCache
from service.cache.redis import RedisCache
from service.cache.single_flight import Produced
from service.errors import ConfigurationError
from tests.support.caches import Recipe, Task, asking, body, landed
from tests.support.clock import Clock
from tests.support.servers import ServerMissing, free_port, installed
from tests.support.waiting import until


class OwnRedis:
    """A Redis of the test's own, to be killed and started again on the same port and folder."""

    def __init__(self, folder: Path) -> None:
        self._program = installed("redis-server", package="redis-server")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis.from_url(self.url, socket_timeout=5)

    def start(self) -> None:
        command = [
            self._program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            self._folder,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


@pytest.fixture
def own(tmp_path: Path, redis_url: str) -> Iterator[OwnRedis]:
    """`redis_url` is asked for so that a missing server is treated as everywhere."""
    try:
        server = OwnRedis(tmp_path)
    except ServerMissing as missing:
        pytest.fail(str(missing))
    server.start()
    yield server
    server.client.close()
    server.kill()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_killed_in_the_middle_of_an_answer_and_back_again(own: OwnRedis) -> None:
    clock, recipe = Clock(), Recipe(b"a", b"b", held=True)
    cache = RedisCache(own.url, clock)
    answers = AnswerCache(cache, 1_000, time.time)
    reading = Task(asking(answers, recipe))
    assert recipe.begun.wait(10)
    recipe.let_go(1)
    own.kill()
    recipe.let_go()
    assert reading.result() == ("miss", b"ab")
    assert asking(answers, Recipe(b"ab"))() == ("bypass", b"ab")
    own.start()
    clock.now += 60
    assert asking(answers, Recipe(b"ab"))() == ("miss", b"ab")
    landed(answers)
    assert asking(answers, Recipe(b"never"))() == ("hit", b"ab")
    cache.close()


def test_killed_while_another_worker_waits_for_the_answer(own: OwnRedis) -> None:
    one, other = (AnswerCache(RedisCache(own.url, time.monotonic), 1_000, time.time) for _ in range(2))
    stuck, sole = Recipe(b"a", held=True), Recipe(b"a")
    first = Task(asking(one, stuck))
    assert stuck.begun.wait(10)
    second = Task(asking(other, sole))
    until(lambda: len(other._flights) == 1)
    own.kill()
    assert second.result() == ("miss", b"a")
    stuck.let_go()
    assert first.result() == ("miss", b"a")


def test_restarted_from_a_snapshot_older_than_a_write_gives_no_stale_answer(own: OwnRedis) -> None:
    """The snapshot holds the bucket's generation and the answer of before the write; both come back."""
    answers = AnswerCache(RedisCache(own.url, Clock()), 1_000, time.time)
    asking(answers, Recipe(b"old"))()
    landed(answers)
    assert asking(answers, Recipe(b"never"))() == ("hit", b"old")
    own.client.save()
    answers.invalidate("b")
    own.kill()
    own.start()
    assert own.client.get("fluxgate:1:generation:b") is not None
    assert asking(AnswerCache(RedisCache(own.url, Clock()), 1_000, time.time), Recipe(b"new"))() == ("miss", b"new")
    assert asking(answers, Recipe(b"never"))() == ("hit", b"new"), "a worker with connections of before the restart"


def test_any_spoiled_byte_of_a_value_is_a_miss(redis_url: str) -> None:
    raw, cache = redis.Redis.from_url(redis_url), RedisCache(redis_url, time.monotonic)
    for value in (b"answer" * 10, b"answer" * 400_000):
        cache.put("spoiled", value, 60)
        whole = raw.get("fluxgate:1:spoiled")
        assert isinstance(whole, bytes)
        for place in (0, 5, 10, 13, len(whole) // 2, len(whole) - 1):
            raw.set("fluxgate:1:spoiled", whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert cache.get("spoiled") is None, place
        raw.set("fluxgate:1:spoiled", whole)
        assert cache.get("spoiled") == value


def test_a_value_of_a_foreign_kind_and_one_that_claims_to_be_huge_are_misses(redis_url: str) -> None:
    raw, cache = redis.Redis.from_url(redis_url), RedisCache(redis_url, time.monotonic)
    raw.delete("fluxgate:1:list")
    raw.rpush("fluxgate:1:list", "x")
    raw.set("fluxgate:1:huge", b"4" + b"\x7f" * 8 + b"\0" * 4)
    assert [cache.get("list"), cache.get("huge")] == [None, None]
    assert cache.put("after", b"x", 60) is True, "a refused command does not close the door"


def test_a_silent_server_costs_the_first_request_half_a_second_and_the_others_nothing(silent: str) -> None:
    cache = RedisCache(silent, time.monotonic)
    answers = AnswerCache(cache, 1_000, time.time)
    began = time.monotonic()
    assert asking(answers, Recipe(b"x"))() == ("bypass", b"x")
    assert time.monotonic() - began < 8
    began = time.monotonic()
    for _ in range(50):
        assert asking(answers, Recipe(b"x"))() == ("bypass", b"x")
        answers.invalidate("b")
    assert time.monotonic() - began < 10, "each of a hundred waits half a second"
    with pytest.raises(redis.RedisError):
        cache.ping()


def test_a_server_that_speaks_something_else_is_one_that_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            for _ in range(2):
                link, _ = server.accept()
                with link:
                    link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=speak, daemon=True).start()
        answers = AnswerCache(
            RedisCache(f"redis://127.0.0.1:{server.getsockname()[1]}/0", time.monotonic), 1_000, time.time
        )
        assert asking(answers, Recipe(b"x"))()[1] == b"x"


def test_a_full_server_keeps_nothing_and_a_write_is_not_lost_on_this_worker(own: OwnRedis) -> None:
    answers = AnswerCache(RedisCache(own.url, Clock()), 1_000, time.time)
    asking(answers, Recipe(b"old"))()
    landed(answers)
    own.client.config_set("maxmemory", "1")
    answers.invalidate("b")
    assert asking(answers, Recipe(b"new"))() == ("bypass", b"new")
    own.client.config_set("maxmemory", "0")
    assert asking(answers, Recipe(b"new"))()[1] == b"new"
    landed(answers)
    assert asking(answers, Recipe(b"never"))() == ("hit", b"new")


def test_a_turn_is_held_by_its_token_and_can_be_extended(redis_url: str) -> None:
    raw, one, other = (
        redis.Redis.from_url(redis_url),
        RedisCache(redis_url, time.monotonic),
        RedisCache(redis_url, time.monotonic),
    )
    raw.delete("fluxgate:1:lock:turn")
    token = one.lock("turn", 0.2)
    assert token is not None
    assert other.extend("turn", "wrong", 60) is False
    assert one.extend("turn", token, 60) is True
    assert int(raw.pttl("fluxgate:1:lock:turn")) > 50_000  # type: ignore[arg-type]
    assert other.lock("turn", 60) is None
    one.unlock("turn", token)
    assert one.extend("turn", token, 60) is False


def test_an_address_that_makes_no_sense_is_named_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL") as raised:
        RedisCache("http://:hunter2@host", time.monotonic)
    assert "hunter2" not in raised.value.message


def _worker(
    url: str, start: "multiprocessing.synchronize.Barrier", told: "multiprocessing.queues.Queue[tuple[bytes, int]]"
) -> None:  # type: ignore[name-defined]
    recipe = Recipe(b"x" * 100_000, held=True)
    answers = AnswerCache(RedisCache(url, time.monotonic), 1_000_000, time.time)

    def slow() -> Produced:
        threading.Timer(0.5, recipe.let_go).start()
        return recipe()

    start.wait(30)
    asked = [Task(lambda: body(answers.serve("k", ["b"], 60, slow))) for _ in range(5)]
    told.put((b"".join(task.result() for task in asked), recipe.made))  # type: ignore[misc]


def test_three_processes_with_five_clients_each_ask_the_store_once(own: OwnRedis) -> None:
    context = multiprocessing.get_context("fork")
    start, told = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_worker, args=(own.url, start, told)) for _ in range(3)]
    for process in processes:
        process.start()
    results = [told.get(timeout=30) for _ in processes]
    for process in processes:
        process.join(10)
    assert [answer for answer, _ in results] == [b"x" * 500_000] * 3
    assert sum(made for _, made in results) == 1
