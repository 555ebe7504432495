"""How many reads run at one time in this process. One more is told to come back."""

import threading
from collections.abc import Callable

from service.errors import TooManyReads


class Slots:
    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    def take(self) -> Callable[[], None]:
        """Take a slot; the result gives it back (once, however often it is called). Raises TooManyReads."""
        with self._lock:
            if self._taken >= self._most:
                raise TooManyReads(f"All {self._most} reads of this gateway are under way. Ask again in a moment.", 1.0)
            self._taken += 1
        given_back = threading.Event()

        def give_back() -> None:
            with self._lock:
                if not given_back.is_set():
                    given_back.set()
                    self._taken -= 1

        return give_back
