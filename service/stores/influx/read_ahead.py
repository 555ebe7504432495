"""Reading ahead: one thread fetches and decodes while another encodes and sends.

At most a few blocks wait between the two, counted in bytes, so memory does not grow with the range.
"""

import threading
from collections import deque
from collections.abc import Generator, Iterator

from service.errors import StoreCancelled
from service.frames.frame import Block
from service.stores.influx.transport import Call

_MOST_BYTES = 4 * 1024 * 1024


def block_bytes(block: Block) -> int:
    return sum(frame.nbytes for frame in block)


class ReadAhead:
    """Runs `blocks` in a thread of its own, and gives them in order. `cancel` and the deadline end both threads."""

    def __init__(self, blocks: Generator[Block, None, None], call: Call) -> None:
        self._blocks = blocks
        self._call = call
        self._changed = threading.Condition()
        self._waiting: deque[Block] = deque()
        self._waiting_bytes = 0
        self._done = False
        self._cancelled = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[Block]:
        self._thread = threading.Thread(target=self._fetch, name="influx-read", daemon=True)
        self._thread.start()
        while True:
            with self._changed:
                self._wait()
                if not self._waiting:
                    break
                block = self._waiting.popleft()
                self._waiting_bytes -= block_bytes(block)
                self._changed.notify_all()
            yield block
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """End the read. Thread-safe; may be repeated. A waiting `__iter__` raises what the abort causes."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()
        self._call.abort()

    def _wait(self) -> None:
        """Wait for a block or the end.

        With a server that sends byte by byte the other thread never looks at the clock. This one does.
        """
        left_s = self._call.left_s()
        timeout_s = None if left_s is None else max(left_s, 0.0)
        if not self._changed.wait_for(lambda: self._waiting or self._done, timeout_s):
            self._call.abort()
            self._changed.wait_for(lambda: self._waiting or self._done)

    def _fetch(self) -> None:
        try:
            for block in self._blocks:
                with self._changed:
                    self._changed.wait_for(lambda: self._cancelled or self._waiting_bytes < _MOST_BYTES)
                    if self._cancelled:
                        raise StoreCancelled("The read was cancelled.")
                    self._waiting.append(block)
                    self._waiting_bytes += block_bytes(block)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  (handed to the reader as it is)
            self._error = error
        finally:
            self._blocks.close()
            with self._changed:
                self._done = True
                self._changed.notify_all()
