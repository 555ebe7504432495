"""A token that ends the work for a client that has left. Any thread may cancel it."""

import threading
from collections.abc import Callable


class CancelToken:
    """Calls the act that `on_cancel` was given once `cancel` is called, whichever comes first; at most once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._act: Callable[[], None] | None = None
        self.cancelled = False

    def on_cancel(self, act: Callable[[], None]) -> None:
        """Set the act. It is called at once when the token is cancelled already."""
        with self._lock:
            self._act = act
            is_cancelled = self.cancelled
        if is_cancelled:
            act()

    def cancel(self) -> None:
        """End the work. May be called again, without effect."""
        with self._lock:
            is_first, self.cancelled = not self.cancelled, True
            act = self._act if is_first else None
        if act is not None:
            act()
