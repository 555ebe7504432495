"""A client that may go away while its answer has not begun: whoever watches it says so here, from any thread."""

import threading
from collections.abc import Callable


class Departure:
    """Calls what `on_leaving` was given once `leave` is called, in whichever order the two come; at most once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._act: Callable[[], None] | None = None
        self.left = False

    def on_leaving(self, act: Callable[[], None]) -> None:
        with self._lock:
            self._act = act
            late = self.left
        if late:
            act()

    def leave(self) -> None:
        with self._lock:
            first, self.left = not self.left, True
            act = self._act if first else None
        if act is not None:
            act()
