"""A run that goes on until a test ends it. Its waits take no time: they move the clock."""

import threading

from service.domain.job import Cancelled


class ClockedControl:
    """A `RunControl` whose `sleep` moves `now`, which is also the clock of what it controls. Threads may share it."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.sleeps: list[float] = []
        self.ends_after: int | None = None
        """The run ends at the check after so many."""
        self.lines: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._checks = 0

    def clock(self) -> float:
        return self.now

    def check(self) -> None:
        with self._lock:
            self._checks += 1
            if self.ends_after is not None and self._checks > self.ends_after:
                raise Cancelled

    def sleep(self, seconds: float) -> None:
        self.check()
        with self._lock:
            self.sleeps.append(seconds)
            self.now += seconds

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def end(self) -> None:
        """End the run now."""
        self.ends_after = -1
