"""The log of a mirror inside its target, as points of the bucket `Logging`, for those who watch the target.

After a line that the target does not take, none is written to it for a minute.
"""

from collections.abc import Callable

from service.domain.job import UPSTREAM
from service.domain.mirror import LOG_BUCKET
from service.domain.schema import BucketSpec
from service.errors import FluxgateError
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import Store

MEASUREMENT = "Logs"
_PAUSE_AFTER_FAILURE_S = 60.0


class TargetLog:
    """Writes lines into the target: measurement `Logs`, tag `LOG_LEVEL`, field `Message`.

    The bucket is made when it is missing.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._last_ns = 0
        self._silent_until = 0.0
        self._has_bucket = False

    def write(self, level: str, message: str) -> None:
        """Write a line. Never raises: a log line is no reason to stop.

        Lines of the level `upstream`, which quote another server, are left out.
        """
        now = self._clock()
        if level == UPSTREAM or now < self._silent_until:
            return
        self._last_ns = max(int(now * 1e9), self._last_ns + 1)
        text = message.replace("\\", "\\\\").replace('"', '\\"')
        line = f'{MEASUREMENT},LOG_LEVEL={level.upper()} Message="{text}" {self._last_ns}\n'
        try:
            if not self._has_bucket:
                self._store.create_bucket(BucketSpec(LOG_BUCKET, "What Fluxgate did"))
                self._has_bucket = True
            self._store.write(LOG_BUCKET, parse_lines(line.encode("utf-8", "replace"), "ns", self._last_ns).points)
        except FluxgateError:
            self._silent_until = now + _PAUSE_AFTER_FAILURE_S
