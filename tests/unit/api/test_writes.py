"""The budget of a write and the slots for large ones, by a clock of the test's own."""

import anyio
import pytest
from fastapi import Request

from service.api.writes import SMALL_BODY_BYTES, WriteBudget, WriteSlots
from service.errors import ClientDisconnected, TooManyWrites, WriteTimeout


def request(**headers: str) -> Request:
    names = {"length": "content-length", "coding": "content-encoding"}
    return Request({"type": "http", "headers": [(names[name].encode(), value.encode()) for name, value in headers.items()]})


def test_a_budget_ends_when_its_time_is_over() -> None:
    now_s = 100.0
    budget = WriteBudget(5, lambda: now_s)
    now_s = 105.0
    budget.check()
    assert budget.rest_s == 0
    now_s = 105.1
    with pytest.raises(WriteTimeout, match=r"longer than 5 seconds \(WRITE_TIMEOUT_S\)"):
        budget.check()


def test_a_budget_ends_when_the_client_leaves() -> None:
    budget = WriteBudget(5, lambda: 0.0)
    budget.leave()
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
def test_only_large_and_packed_bodies_and_those_of_unknown_length_need_a_slot(headers: dict[str, str], needs_slot: bool) -> None:
    slots = WriteSlots(1)

    async def taken() -> int:
        async with slots.slot(request(**headers)):
            return slots.taken

    assert anyio.run(taken) == int(needs_slot)
    assert slots.taken == 0


def test_one_more_waits_and_is_then_refused_and_a_slot_that_comes_back_is_taken() -> None:
    async def run() -> None:
        slots = WriteSlots(1, wait_s=0.1)
        async with slots.slot(request()):
            with pytest.raises(TooManyWrites, match="All 1 writes"):
                async with slots.slot(request()):
                    pass
        async with slots.slot(request()):
            assert slots.taken == 1

    anyio.run(run)


def test_a_slot_comes_back_after_a_failure() -> None:
    async def run() -> int:
        slots = WriteSlots(1)
        with pytest.raises(ValueError, match="broken"):
            async with slots.slot(request()):
                raise ValueError("broken")
        return slots.taken

    assert anyio.run(run) == 0
