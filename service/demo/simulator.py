"""Writes new points while the demo runs: often for the live measurements, once a minute for the others."""

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from service.demo.filling import MINUTE_NS, MONTH_NS, POWER, write_history, write_live
from service.errors import FluxgateError
from service.stores.protocol import Store

_log = logging.getLogger(__name__)
_STOP_S = 10.0


class Simulator:
    """Writes every `interval_s` seconds in a thread of its own, from `start` to `stop`.

    The first write fills the time since the last point, up to a month, so that a store that was closed for a while has
    no gap. A write that fails is tried again after the interval.
    """

    def __init__(self, store: Store, interval_s: float, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._interval_s = interval_s
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-simulator", daemon=True)
        self._written_until_ns: int | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its last write. May be called more than once, and before `start`."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def write_once(self) -> None:
        """Write the points since the last call, and those of now."""
        now_ns = self._clock()
        since_ns = self._since_ns(now_ns)
        if now_ns - since_ns >= MINUTE_NS:
            write_history(self._store, since_ns, now_ns)
            since_ns = now_ns
        self._written_until_ns = since_ns
        write_live(self._store, np.array([now_ns], np.int64))

    def _since_ns(self, now_ns: int) -> int:
        if self._written_until_ns is not None:
            return self._written_until_ns
        last_ns = self._store.last_point(POWER.name)
        return now_ns - MONTH_NS if last_ns is None else max(last_ns // MINUTE_NS * MINUTE_NS, now_ns - MONTH_NS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.write_once()
            except FluxgateError as failed:
                _log.warning("The demo could not write and will try again: %s", failed.message)
            self._stopped.wait(self._interval_s)
