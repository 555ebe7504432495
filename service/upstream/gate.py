"""The gate before an upstream: so many posts at one time, so many values a second, none while it asks to wait."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from service.domain.pacing import Pace
from service.transfer.run_control import RunControl

_SLICE_S = 0.5


class Gate:
    """Shared by all threads that post to one upstream. `monotonic`: seconds of a clock that never goes back."""

    def __init__(
        self,
        in_flight: int,
        points_per_s: float | None,
        control: RunControl,
        monotonic: Callable[[], float],
    ) -> None:
        self._slots = threading.BoundedSemaphore(in_flight)
        self._pace = None if points_per_s is None else Pace(points_per_s)
        self._control = control
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._closed_until = float("-inf")

    def close_for(self, seconds: float) -> None:
        """Let no post pass for so long: the upstream asked all posts to wait, not only the one that it answered."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._monotonic() + seconds)

    @contextlib.contextmanager
    def passed(self, values: int) -> Iterator[None]:
        """Wait until `values` may be posted, and hold a slot while they are. Raises JobInterrupted."""
        self._wait(values)
        while not self._slots.acquire(timeout=_SLICE_S):
            self._control.check()
        try:
            yield
        finally:
            self._slots.release()

    def _wait(self, values: int) -> None:
        with self._lock:
            now = self._monotonic()
            wait_s = 0.0 if self._pace is None else self._pace.take(values, now)
        if wait_s > 0:
            self._control.sleep(wait_s)
        while (left_s := self._closed_until - self._monotonic()) > 0:
            self._control.sleep(left_s)
