"""The end of a read whose picture is drawn: its slot is taken until nobody draws any more, also when the client left.

Drawing cannot be stopped in the middle. If leaving gave the slot back, a client that asks and leaves would have any
number of pictures under way.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import StoreBroken


class Drawing:
    """`end` ends the read and gives its slot back. All methods are thread-safe."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._is_under_way = False
        self._is_cancelled = False

    def cancel(self) -> None:
        """End the read: now, or when the picture that is just drawn is done. May be repeated."""
        with self._lock:
            self._is_cancelled = True
            if self._is_under_way:
                return
        self._end()

    def check(self) -> None:
        """Raises StoreBroken: nobody wants the picture any more."""
        if self._is_cancelled:
            raise StoreBroken("The picture was given up before it was drawn.")

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Around the drawing. Raises StoreBroken as `check` does."""
        with self._lock:
            self.check()
            self._is_under_way = True
        try:
            yield
        finally:
            with self._lock:
                self._is_under_way, is_over = False, self._is_cancelled
            if is_over:
                self._end()
