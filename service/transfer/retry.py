"""Going on in spite of a busy or broken link: waits that the other side names are kept, short breaks are sat out, quotas are not run into.

What does not pass soon is raised, and the runner tries the job again later, from what was kept.
"""

import random
from collections.abc import Callable
from typing import Protocol, TypeVar

from service.domain.backoff import wait_s
from service.errors import RetryLater, StoreBroken, StoreTimeout, StoreUnavailable
from service.transfer.run_control import RunControl

T = TypeVar("T")
WINDOW_S = 300.0
"""InfluxDB Cloud's quotas are for five minutes (its documentation: account-management/limits)."""
_BREAKS = (StoreBroken, StoreTimeout, StoreUnavailable)
_MOST_BREAKS = 4


class Caller(Protocol):
    """Makes calls, and perhaps again."""

    waits: int
    """How often the other side asked for patience."""

    def call(self, act: Callable[[], T], when_busy: Callable[[], T] | None = None) -> T: ...


class Once:
    """Calls once: for somebody who waits for the answer."""

    waits = 0

    def call(self, act: Callable[[], T], when_busy: Callable[[], T] | None = None) -> T:
        return act()


class Patience:
    """Calls that may have to be made again. `tell` takes a level and a line for people."""

    def __init__(self, context: RunControl, tell: Callable[[str, str], None]) -> None:
        self._context = context
        self._tell = tell
        self.waits = 0

    def call(self, act: Callable[[], T], when_busy: Callable[[], T] | None = None) -> T:
        """What `act` gives; it must bear being called again. With `when_busy`: what that gives, after a wait that the other side asked for.

        Raises JobInterrupted, and StoreError when a break lasts.
        """
        breaks = 0
        while True:
            self._context.check()
            try:
                return act()
            except RetryLater as busy:
                self.waits += 1
                self._tell("warning", f"{busy.message} Waiting {busy.retry_after_s:.0f} s.")
                self._context.sleep(busy.retry_after_s)
                if when_busy is not None:
                    return when_busy()
            except _BREAKS as broken:
                self._context.check()
                breaks += 1
                if breaks > _MOST_BREAKS:
                    raise
                pause_s = wait_s(breaks, random.random())  # noqa: S311  (no secret)
                self._tell("warning", f"{broken.message} Trying again in {pause_s:.0f} s.")
                self._context.sleep(pause_s)


class Budget:
    """At most `most_bytes` in five minutes, counted from the first byte; `used` gives the bytes that went over the links so far."""

    def __init__(
        self, context: RunControl, most_bytes: int | None, used: Callable[[], int], tell: Callable[[str, str], None], clock: Callable[[], float]
    ) -> None:
        self._context = context
        self._most_bytes = most_bytes
        self._used = used
        self._tell = tell
        self._clock = clock
        self._window = (clock(), used())

    def spend(self) -> None:
        """Wait for the next five minutes when the bytes of these are used up. Called before each act that moves bytes."""
        now, used = self._clock(), self._used()
        began, before = self._window
        if now - began >= WINDOW_S:
            self._window = (now, used)
        elif self._most_bytes is not None and used - before >= self._most_bytes:
            left_s = WINDOW_S - (now - began)
            self._tell("info", f"{used - before:,} bytes went over the links in these five minutes, which is the budget: going on in {left_s:.0f} s.")
            self._context.sleep(left_s)
            self._window = (self._clock(), self._used())
