"""Splits a range into halves when all of it is too much for the store, or for what a quota leaves.

A read or a copy that a quota breaks off begins again after the wait. With the same amount it would never end where it
needs more than the quota allows in one window.
"""

from collections.abc import Callable
from typing import TypeVar

from service.domain.slicing import slice_start
from service.domain.timerange import TimeRange
from service.errors import StoreLimit
from service.transfer.retry import Retrying
from service.transfer.run_log import Log, log_failure

T = TypeVar("T")
_DEPTH = 10


class Splitter:
    """Calls with retries, for the whole of a range or for its parts. Each split is logged."""

    def __init__(self, retry: Retrying, log: Log) -> None:
        self._retry = retry
        self._log = log

    def call(self, act: Callable[[TimeRange], T], span: TimeRange, unit_ns: int, depth: int = 0) -> list[T]:
        """What `act` gives for the pieces of `span`, in their order.

        One piece if it can be. None is cut inside a multiple of `unit_ns`.

        Raises:
            StoreLimit: the smallest piece is too much. StoreError, JobInterrupted.
        """
        middle_ns = slice_start((span.start_ns + span.stop_ns) // 2, unit_ns)
        if depth >= _DEPTH or not span.start_ns < middle_ns < span.stop_ns:
            return [self._retry.call(lambda: act(span))]
        try:
            answers: list[T] = self._retry.call(lambda: [act(span)], when_busy=list)
        except StoreLimit as failed:
            log_failure(self._log, "warning", f"{failed.message} Trying half as much at a time.", failed)
            answers = []
        halves = (TimeRange(span.start_ns, middle_ns), TimeRange(middle_ns, span.stop_ns))
        return answers or [answer for half in halves for answer in self.call(act, half, unit_ns, depth + 1)]
