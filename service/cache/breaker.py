"""A circuit breaker: when to leave a broken server alone. The caller makes the calls, and reports how they went.

After a failure nobody calls the server for a while. Then one caller tries, while all others still do without it. So a
server that hangs does not cost every request its time-out.
"""

import threading
from collections.abc import Callable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 30.0


class Breaker:
    """Pauses double with each failure, from the first to the longest. `clock` gives seconds that never go back."""

    def __init__(
        self,
        clock: Callable[[], float],
        first_pause_s: float = _FIRST_PAUSE_S,
        longest_pause_s: float = _LONGEST_PAUSE_S,
    ) -> None:
        self._clock = clock
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._lock = threading.Lock()
        self._changes = 0
        self._away_until: float | None = None
        self._pause_s = first_pause_s

    def enter(self) -> int | None:
        """A ticket for one call; None: do without the server."""
        with self._lock:
            if self._away_until is not None:
                if self._clock() < self._away_until:
                    return None
                self._away_until = self._clock() + self._pause_s
                self._changes += 1
            return self._changes

    def failed(self, ticket: int) -> bool:
        """Report a call that failed. True when that is news; calls that began before the last change are none."""
        with self._lock:
            if ticket != self._changes:
                return False
            news = self._away_until is None
            self._pause_s = self._first_pause_s if news else min(self._pause_s * 2, self._longest_pause_s)
            self._away_until = self._clock() + self._pause_s
            self._changes += 1
            return news

    def worked(self, ticket: int) -> bool:
        """Report a call that worked. True when that is news."""
        if self._away_until is None:
            return False
        with self._lock:
            if ticket != self._changes or self._away_until is None:
                return False
            self._away_until = None
            return True
