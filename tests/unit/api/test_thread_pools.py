"""Threads by dependency: bounded, refused by name when all wait, and shared fairly between keys."""

import threading

import anyio
import pytest

from service.api.thread_pools import ThreadPool
from service.errors import DependencyBusy

pytestmark = pytest.mark.anyio


async def test_a_call_gives_its_result_or_raises_its_error() -> None:
    pool = ThreadPool("store", 2)
    assert await pool.run(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await pool.run(int, "x", key="a")


async def test_one_more_than_fits_is_refused_after_a_moment_with_the_name_of_what_is_busy() -> None:
    pool, go_on = ThreadPool("store", 2, wait_s=0.1), threading.Event()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(pool.run, go_on.wait)
        await anyio.sleep(0.05)
        with pytest.raises(DependencyBusy, match="All 2 threads that ask the store") as refused:
            await pool.run(int)
        assert (refused.value.extra["dependency"], refused.value.retry_after_s) == ("store", 2.0)
        go_on.set()
    assert await pool.run(int) == 0


async def test_a_key_gets_half_of_the_threads_and_others_the_rest() -> None:
    pool, go_on = ThreadPool("store", 4, wait_s=0.1), threading.Event()

    async def held(key: str) -> None:
        await pool.run(go_on.wait, key=key)

    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(held, "greedy")
        await anyio.sleep(0.05)
        with pytest.raises(DependencyBusy, match="The 2 threads that one key may have"):
            await pool.run(int, key="greedy")
        assert await pool.run(int, key="modest") == 0
        go_on.set()
    assert await pool.run(int, key="greedy") == 0
    assert pool.busy_keys() == set()


async def test_a_burst_waits_for_its_turn() -> None:
    pool = ThreadPool("store", 2)
    done: list[int] = []

    async def call(number: int) -> None:
        done.append(await pool.run(int, str(number), key="a"))

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(call, number)
    assert sorted(done) == list(range(50))
