"""The log of a run: what people read about it, kept short.

An outage does not flood it: beyond 30 lines a minute, lines are only counted, and the count is written.
"""

import threading
from collections.abc import Callable, Sequence

from service.domain.job import UPSTREAM
from service.errors import FluxgateError

Log = Callable[[str, str], None]
"""Takes a level, `info`, `warning`, `error` or `upstream`, and a line for people."""
_LINES_A_MINUTE = 30
_MINUTE_S = 60.0


def log_failure(log: Log, level: str, message: str, failure: FluxgateError) -> None:
    """Log `message`, which is about `failure`, and after it what the other server wrote."""
    log(level, message)
    if failure.upstream:
        log(UPSTREAM, failure.upstream)


class RunLog:
    """Writes lines to each of `sinks`, in their order."""

    def __init__(self, sinks: Sequence[Log], clock: Callable[[], float]) -> None:
        self._sinks = sinks
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = (0.0, 0)
        self._left_out = 0

    def write(self, level: str, message: str) -> None:
        """Write a line. Errors are always written."""
        with self._lock:
            now = self._clock()
            began, lines = self._minute
            if now - began >= _MINUTE_S:
                began, lines = now, 0
            if lines >= _LINES_A_MINUTE and level != "error":
                self._left_out += 1
                return
            self._minute = (began, lines + 1)
            left_out, self._left_out = self._left_out, 0
        entries = [(level, message)]
        if left_out:
            entries.insert(0, ("warning", f"{left_out} lines were left out, so that this log is not flooded."))
        for entry in entries:
            for sink in self._sinks:
                sink(*entry)
