"""Clients that leave are noticed, and all reads of a loop share one bounded set of answer_threads."""

import anyio
import pytest

from service.api.client_disconnect import answer_threads, run_until_disconnect


async def stays() -> dict[str, str]:
    await anyio.sleep_forever()
    raise AssertionError("unreachable")


async def goes() -> dict[str, str]:
    return {"type": "http.disconnect"}


def test_all_reads_of_a_loop_share_one_set_of_threads() -> None:
    async def ask() -> set[int]:
        kept = [answer_threads() for _ in range(10)]
        async with anyio.create_task_group() as group:
            group.start_soon(_add, kept)
        return {id(one) for one in kept}

    assert len(anyio.run(ask)) == 1


async def _add(kept: list[anyio.CapacityLimiter]) -> None:
    kept.append(answer_threads())


def test_what_is_done_for_a_client_that_stays_is_given() -> None:
    async def act(gone: anyio.Event) -> bool:
        await anyio.sleep(0)
        return gone.is_set()

    async def ask() -> bool:
        return await run_until_disconnect(stays, lambda: pytest.fail("nobody left"), act)

    assert anyio.run(ask) is False


def test_what_fails_is_raised_as_itself() -> None:
    async def act(gone: anyio.Event) -> None:
        raise ValueError("broke")

    async def ask() -> None:
        await run_until_disconnect(stays, lambda: None, act)

    with pytest.raises(ValueError, match="broke"):
        anyio.run(ask)


def test_one_that_goes_is_told_of_while_the_work_is_under_way() -> None:
    told: list[str] = []

    async def act(gone: anyio.Event) -> list[str]:
        await gone.wait()
        while not told:
            await anyio.sleep(0.001)
        return told

    async def ask() -> list[str]:
        with anyio.fail_after(10):
            return await run_until_disconnect(goes, lambda: told.append("left"), act)

    assert anyio.run(ask) == ["left"]
