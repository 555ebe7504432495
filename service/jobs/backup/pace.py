"""Keeps a backup slow enough for the server that it reads from: bytes a second, and a pause after each slice."""

import threading
from collections.abc import Callable, Iterable, Iterator

from service.domain import pacing
from service.frames.frame import Block
from service.transfer.run_control import RunControl


class Pace:
    """`bytes_a_second` 0: as fast as it goes. `clock` gives seconds. Threads may share it."""

    def __init__(
        self,
        control: RunControl,
        clock: Callable[[], float],
        bytes_a_second: float = 0,
        pause_s: float = 0,
    ) -> None:
        self._control = control
        self._clock = clock
        self._rate = pacing.Pace(bytes_a_second, burst_s=0.0) if bytes_a_second else None
        self._pause_s = pause_s
        self._lock = threading.Lock()

    def paced(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks, each no sooner than the rate allows. Raises JobInterrupted."""
        for block in blocks:
            self._control.check()
            self._wait_for(sum(frame.nbytes for frame in block))
            yield block

    def paced_bytes(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, each no sooner than the rate allows. Raises JobInterrupted."""
        for piece in pieces:
            self._control.check()
            self._wait_for(len(piece))
            yield piece

    def after_slice(self) -> None:
        """Raises JobInterrupted."""
        if self._pause_s:
            self._control.sleep(self._pause_s)

    def _wait_for(self, size: int) -> None:
        if self._rate is None:
            return
        with self._lock:
            wait_s = self._rate.take(size, self._clock())
        if wait_s > 0:
            self._control.sleep(wait_s)
