"""Keeps a backup slow enough for the server that it reads from: bytes a second, and a pause after each slice."""

import threading
from collections.abc import Callable, Iterable, Iterator

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
        self._bytes_a_second = bytes_a_second
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._free_at = float("-inf")

    def paced(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks, each no sooner than the rate allows. Raises JobInterrupted."""
        for block in blocks:
            self._control.check()
            self._wait_for(sum(frame.nbytes for frame in block))
            yield block

    def after_slice(self) -> None:
        """Raises JobInterrupted."""
        if self._pause_s:
            self._control.sleep(self._pause_s)

    def _wait_for(self, size: int) -> None:
        if not self._bytes_a_second:
            return
        with self._lock:
            now = self._clock()
            begin = max(now, self._free_at)
            self._free_at = begin + size / self._bytes_a_second
        if begin > now:
            self._control.sleep(begin - now)
