"""Asks a store for several ranges of one selection at one time, and collects their rows."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import TypeVar

from service.domain.selection import Selection
from service.domain.timerange import TimeRange
from service.errors import StoreCancelled
from service.frames.frame import Reading
from service.stores.cached.rows import Frames
from service.stores.protocol import Store

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class TooManyRows(Exception):
    """The rows are more than a read may put together."""

    reason = "large"


class Readings:
    """Reads of a store that run in parallel. `cancel` ends all of them, from any thread and more than once."""

    def __init__(self, store: Store, threads: Executor) -> None:
        self._store = store
        self._threads = threads
        self._lock = threading.Lock()
        self._cancelled = False
        self._readings: list[Reading] = []

    def begin(self, selection: Selection, ranges: Sequence[TimeRange]) -> list[Reading]:
        """Begin to read each of `ranges`. Raises what the store raises; then every read is ended, also a later one."""
        try:
            return self._each(lambda span: self._begin(replace(selection, span=span)), ranges)
        except BaseException:
            self.cancel()
            raise

    def frames(self, begun: Sequence[Reading], most_rows: int) -> Frames:
        """All their rows, in this order. Raises TooManyRows, and what the store raises; then these reads are ended."""
        bound = _RowBound(most_rows)
        try:
            return [frame for part in self._each(bound.collected, begun) for frame in part]
        except BaseException:
            for reading in begun:
                reading.cancel()
            raise

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            readings = list(self._readings)
        for reading in readings:
            reading.cancel()

    def _begin(self, selection: Selection) -> Reading:
        reading = self._store.read(selection)
        with self._lock:
            self._readings.append(reading)
            is_cancelled = self._cancelled
        if is_cancelled:
            reading.cancel()
            raise StoreCancelled("The read was cancelled.")
        return reading

    def _each(self, act: Callable[[Argument], Result], arguments: Sequence[Argument]) -> list[Result]:
        """What `act` gives for each argument, in their order; in this thread when there is only one."""
        if len(arguments) < 2:
            return [act(argument) for argument in arguments]
        futures = [self._threads.submit(act, argument) for argument in arguments]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise


class _RowBound:
    """How many rows several reads may still give together. Thread-safe."""

    def __init__(self, most_rows: int) -> None:
        self._lock = threading.Lock()
        self._left = most_rows

    def collected(self, reading: Reading) -> Frames:
        """The rows of one of them. Raises TooManyRows."""
        frames: Frames = []
        for block in reading.blocks:
            with self._lock:
                self._left -= sum(frame.num_rows for frame in block)
                if self._left < 0:
                    raise TooManyRows
            frames += block
        return frames
