"""Readiness answers in time whatever hangs, and asks each dependency once for all who ask."""

import threading
import time

import anyio
import pytest

from service.api.readiness import DependencyCheck, Readiness
from service.errors import NotReady

pytestmark = pytest.mark.anyio


class Ping:
    """Counts how often it is asked; waits, or fails, as it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._error = error

    def __call__(self) -> None:
        self.times += 1
        self.go_on.wait(20)
        if self._error is not None:
            raise self._error


async def test_each_is_up_or_down_with_a_code_that_names_no_host() -> None:
    """Everybody may ask, so the message stays in the log."""
    readiness = Readiness(
        {"store": DependencyCheck("influx", Ping()), "state": DependencyCheck("sqlite", Ping(NotReady("away")))}
    )
    states = await readiness.states()
    assert (states["store"]["name"], states["store"]["state"]) == ("influx", "up")
    assert (states["state"]["state"], states["state"]["reason"]) == ("down", "not_ready")


async def test_twenty_who_ask_at_once_cost_one_look() -> None:
    ping = Ping()
    readiness = Readiness({"store": DependencyCheck("influx", ping)})
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(readiness.states)
    await readiness.states()
    assert ping.times == 1


async def test_one_that_hangs_is_slow_after_two_seconds_and_then_at_once_and_hides_no_other() -> None:
    hanging, fine = Ping(), Ping()
    hanging.go_on.clear()
    readiness = Readiness({"store": DependencyCheck("influx", hanging), "state": DependencyCheck("sqlite", fine)})
    begun = time.monotonic()
    first = await readiness.states()
    assert time.monotonic() - begun > 1.9
    begun = time.monotonic()
    second = await readiness.states()
    assert time.monotonic() - begun < 1.9, "it waits again"
    assert (first["store"]["state"], second["store"]["state"], second["state"]["state"]) == ("slow", "slow", "up")
    hanging.go_on.set()
    deadline = time.monotonic() + 5
    while (await readiness.states())["store"]["state"] != "up":
        assert time.monotonic() < deadline
        await anyio.sleep(0.05)
    assert hanging.times == 1
