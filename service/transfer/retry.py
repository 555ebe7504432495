"""Repeats calls of a store that is busy or whose connection breaks. It waits as long as the store asks.

An error that lasts is raised. The runner then tries the job again later, from its checkpoint.
"""

import random
from collections.abc import Callable
from typing import Protocol, TypeVar

from service.domain.backoff import wait_s
from service.errors import RetryLater, StoreBroken, StoreTimeout, StoreUnavailable
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log, log_failure

T = TypeVar("T")
_BREAKS = (StoreBroken, StoreTimeout, StoreUnavailable)
_MOST_BREAKS = 4


class Retrying(Protocol):
    """Makes calls, and may repeat them."""

    waits: int
    """How often a store asked to wait."""

    def call(self, act: Callable[[], T], when_busy: Callable[[], T] | None = None) -> T: ...


class NoRetry:
    """Calls once, for a caller who waits for the answer."""

    waits = 0

    def call(self, act: Callable[[], T], when_busy: Callable[[], T] | None = None) -> T:
        return act()


class Retry:
    """Repeats calls. Each wait is logged."""

    def __init__(self, control: RunControl, log: Log) -> None:
        self._control = control
        self._log = log
        self.waits = 0

    def call(self, act: Callable[[], T], when_busy: Callable[[], T] | None = None) -> T:
        """The result of `act`, which may be called several times.

        After a wait that the store asked for, `when_busy` is called instead, where it is given.

        Raises JobInterrupted, and StoreError when a break lasts.
        """
        breaks = 0
        while True:
            self._control.check()
            try:
                return act()
            except RetryLater as busy:
                self.waits += 1
                log_failure(self._log, "warning", f"{busy.message} Waiting {busy.retry_after_s:.0f} s.", busy)
                self._control.sleep(busy.retry_after_s)
                if when_busy is not None:
                    return when_busy()
            except _BREAKS as broken:
                self._control.check()
                breaks += 1
                if breaks > _MOST_BREAKS:
                    raise
                pause_s = wait_s(breaks, random.random())  # noqa: S311  (no secret)
                log_failure(self._log, "warning", f"{broken.message} Trying again in {pause_s:.0f} s.", broken)
                self._control.sleep(pause_s)
