"""A limit on the bytes that a run moves, so that it stays below the quotas of InfluxDB Cloud."""

from collections.abc import Callable

from service.transfer.run_control import RunControl
from service.transfer.run_log import Log

WINDOW_S = 300.0
"""InfluxDB Cloud's quotas are for five minutes (its documentation: account-management/limits)."""


class ByteBudget:
    """At most `most_bytes` in five minutes, counted from the first byte.

    `used` gives the bytes that went over the links so far.
    """

    def __init__(
        self,
        control: RunControl,
        most_bytes: int | None,
        used: Callable[[], int],
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        self._control = control
        self._most_bytes = most_bytes
        self._used = used
        self._log = log
        self._clock = clock
        self._window = (clock(), used())

    def spend(self) -> None:
        """Wait for the next five minutes when the bytes of these five are used up.

        To be called before each act that moves bytes. Raises JobInterrupted.
        """
        now, used = self._clock(), self._used()
        began, used_before = self._window
        if now - began >= WINDOW_S:
            self._window = (now, used)
        elif self._most_bytes is not None and used - used_before >= self._most_bytes:
            left_s = WINDOW_S - (now - began)
            moved = f"{used - used_before:,} bytes went over the links in these five minutes, which is the budget"
            self._log("info", f"{moved}: going on in {left_s:.0f} s.")
            self._control.sleep(left_s)
            self._window = (self._clock(), self._used())
