"""The budget of a write and the slots for large ones, by a clock of the test's own."""

from contextlib import AsyncExitStack

import anyio
import pytest
from fastapi import Request

from service.api.write_limits import SMALL_BODY_BYTES, WriteBudget, WriteSlots
from service.errors import ClientDisconnected, TooManyWrites, WriteTimeout


def request(**headers: str) -> Request:
    names = {"length": "content-length", "coding": "content-encoding"}
    return Request(
        {"type": "http", "headers": [(names[name].encode(), value.encode()) for name, value in headers.items()]}
    )


def test_a_budget_ends_when_its_time_is_over() -> None:
    now_s = 100.0
    budget = WriteBudget(5, lambda: now_s)
    now_s = 105.0
    budget.check()
    assert budget.remaining_s == 0
    now_s = 105.1
    with pytest.raises(WriteTimeout, match=r"longer than 5 seconds \(WRITE_TIMEOUT_S\)"):
        budget.check()


def test_a_budget_ends_when_the_client_leaves() -> None:
    budget = WriteBudget(5, lambda: 0.0)
    budget.cancel()
    with pytest.raises(ClientDisconnected):
        budget.check()


@pytest.mark.parametrize(
    ("headers", "needs_slot"),
    [
        ({"length": str(SMALL_BODY_BYTES)}, False),
        ({"length": str(SMALL_BODY_BYTES + 1)}, True),
        ({"length": "10", "coding": "gzip"}, True),
        ({}, True),
        ({"length": "-1"}, True),
        ({"length": "9" * 5000}, True),
    ],
)
def test_only_large_and_packed_bodies_and_those_of_unknown_length_need_a_slot(
    headers: dict[str, str], needs_slot: bool
) -> None:
    slots = WriteSlots(1, 100)

    async def taken() -> int:
        async with slots.slot(request(**headers), "a"):
            return slots.taken

    assert anyio.run(taken) == int(needs_slot)
    assert slots.taken == 0


def test_one_more_waits_and_is_then_refused_and_a_slot_that_comes_back_is_taken() -> None:
    async def run() -> None:
        slots = WriteSlots(1, 100, wait_s=0.1)
        async with slots.slot(request(), "a"):
            with pytest.raises(TooManyWrites, match="All 1 writes"):
                async with slots.slot(request(), "a"):
                    pass
        async with slots.slot(request(), "a"):
            assert slots.taken == 1

    anyio.run(run)


def test_a_slot_comes_back_after_a_failure() -> None:
    async def run() -> int:
        slots = WriteSlots(1, 100)
        with pytest.raises(ValueError, match="broken"):
            async with slots.slot(request(), "a"):
                raise ValueError("broken")
        return slots.taken

    assert anyio.run(run) == 0


@pytest.mark.parametrize(("most", "of_key"), [(4, 3), (8, 6)])
def test_one_key_leaves_a_quarter_of_the_writes_to_others(most: int, of_key: int) -> None:
    async def run() -> None:
        slots = WriteSlots(most, 100, wait_s=0.05)
        async with AsyncExitStack() as held:
            for _ in range(of_key):
                await held.enter_async_context(slots.slot(request(), "a"))
            with pytest.raises(TooManyWrites, match=f"{of_key} writes of this key are under way, its share of {most}"):
                await held.enter_async_context(slots.slot(request(), "a"))
            async with slots.slot(request(), "b"):
                assert slots.taken == of_key + 1

    anyio.run(run)


def test_bodies_on_their_way_have_a_bound_and_hold_no_slot() -> None:
    async def run() -> None:
        slots = WriteSlots(2, 100)
        async with AsyncExitStack() as held:
            for _ in range(4):
                await held.enter_async_context(slots.body(request(), "a"))
            with pytest.raises(TooManyWrites, match="4 writes of this key are on their way, its share of 8"):
                await held.enter_async_context(slots.body(request(), "a"))
            for _ in range(4):
                await held.enter_async_context(slots.body(request(), "b"))
            with pytest.raises(TooManyWrites, match="The bodies of 8 writes are on their way"):
                await held.enter_async_context(slots.body(request(), "c"))
            await held.enter_async_context(slots.body(request(length="10"), "c"))
            assert slots.taken == 0
        async with slots.body(request(), "a"):
            pass

    anyio.run(run)


def test_bodies_of_one_key_leave_room_for_the_body_of_another() -> None:
    async def run() -> int:
        slots = WriteSlots(4, 100)
        async with (
            slots.body(request(), "a") as charge,
            slots.body(request(), "a") as second,
            slots.body(request(), "b") as other,
        ):
            charge(200)
            second(100)
            with pytest.raises(TooManyWrites, match="this key's writes have 300 bytes, its share"):
                second(1)
            other(100)
            with pytest.raises(TooManyWrites, match="all writes have 400 bytes"):
                other(1)
            assert slots.body_bytes == 400
        return slots.body_bytes

    assert anyio.run(run) == 0
