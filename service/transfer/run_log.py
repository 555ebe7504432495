"""What a mirror tells: in the job's log, and on wish inside the target, as points of the bucket `Logging`.

An outage does not flood either: beyond so many lines in a minute they are counted, and the count is told. A target that
does not take a line is left alone for a while; nothing about that is written to it.
"""

import threading
from collections.abc import Callable

from service.domain.mirror import LOG_BUCKET
from service.domain.schema import BucketSpec
from service.errors import FluxgateError
from service.frames.lineprotocol import parse_lines
from service.stores.protocol import Store

MEASUREMENT = "Logs"
_LINES_A_MINUTE = 30
_LEFT_ALONE_S = 60.0
_MINUTE_S = 60.0


class TargetLog:
    """Lines inside the target: measurement `Logs`, tag `LOG_LEVEL`, field `Message`. The bucket is made when it is missing."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._last_ns = 0
        self._silent_until = 0.0
        self._is_there = False

    def write(self, level: str, message: str) -> None:
        """Never raises: a log line is no reason to stop."""
        now = self._clock()
        if now < self._silent_until:
            return
        self._last_ns = max(int(now * 1e9), self._last_ns + 1)
        text = message.replace("\\", "\\\\").replace('"', '\\"')
        line = f'{MEASUREMENT},LOG_LEVEL={level.upper()} Message="{text}" {self._last_ns}\n'
        try:
            if not self._is_there:
                self._store.create_bucket(BucketSpec(LOG_BUCKET, "What Fluxgate did"))
                self._is_there = True
            self._store.write(LOG_BUCKET, parse_lines(line.encode("utf-8", "replace"), "ns", self._last_ns).points)
        except FluxgateError:
            self._silent_until = now + _LEFT_ALONE_S


class Journal:
    """Tells people. `log` is the job's; `beyond` the target's, when that is wished for."""

    def __init__(self, log: Callable[[str, str], None], clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = (0.0, 0)
        self._left_out = 0
        self.beyond: TargetLog | None = None

    def tell(self, level: str, message: str) -> None:
        """A line; `level` is `info`, `warning` or `error`. Errors are always told."""
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
        told = [(level, message)]
        if left_out:
            told.insert(0, ("warning", f"{left_out} lines were left out, so that this log is not flooded."))
        for one_level, one in told:
            self._log(one_level, one)
            if self.beyond is not None:
                self.beyond.write(one_level, one)
