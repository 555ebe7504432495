"""What is too much for a store at once, or for what a quota leaves, is asked for in halves.

A read or a copy that is broken off by a quota begins again after the wait. If the same amount were tried then, one that
takes more than a whole window of the quota allows would never end.
"""

from collections.abc import Callable
from typing import TypeVar

from service.domain.mirror_slices import slice_start
from service.domain.timerange import TimeRange
from service.errors import StoreLimit
from service.transfer.retry import Caller

T = TypeVar("T")
_DEPTH = 10


class Halver:
    """Calls with patience. `tell` takes a level and a line for people."""

    def __init__(self, patience: Caller, tell: Callable[[str, str], None]) -> None:
        self._patience = patience
        self._tell = tell

    def call(self, act: Callable[[TimeRange], T], span: TimeRange, unit_ns: int, depth: int = 0) -> list[T]:
        """What `act` gives for the pieces of `span`, in their order: one piece if it can be, none cut inside a multiple of `unit_ns`.

        Raises:
            StoreLimit: the smallest piece is too much. StoreError, JobInterrupted.
        """
        middle_ns = slice_start((span.start_ns + span.stop_ns) // 2, unit_ns)
        if depth >= _DEPTH or not span.start_ns < middle_ns < span.stop_ns:
            return [self._patience.call(lambda: act(span))]
        try:
            found: list[T] = self._patience.call(lambda: [act(span)], when_busy=list)
        except StoreLimit as failed:
            self._tell("warning", f"{failed.message} Trying half as much at a time.")
            found = []
        halves = (TimeRange(span.start_ns, middle_ns), TimeRange(middle_ns, span.stop_ns))
        return found or [one for half in halves for one in self.call(act, half, unit_ns, depth + 1)]
