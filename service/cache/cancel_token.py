"""A token by which a client that leaves ends the work that is done for it, from any thread."""

import threading
from collections.abc import Callable


class CancelToken:
    """Calls the act that `on_cancel` was given once `cancel` is called, whichever of the two comes first; at most once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._act: Callable[[], None] | None = None
        self.cancelled = False

    def on_cancel(self, act: Callable[[], None]) -> None:
        with self._lock:
            self._act = act
            late = self.cancelled
        if late:
            act()

    def cancel(self) -> None:
        with self._lock:
            first, self.cancelled = not self.cancelled, True
            act = self._act if first else None
        if act is not None:
            act()
