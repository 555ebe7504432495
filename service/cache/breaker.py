"""When to leave a broken server alone. Pure bookkeeping: the caller does the trying, and says how it went.

After a failure nothing is tried for a while; then one caller tries, while all others still do without.
That is what keeps a hung server from costing every request its time-out.
"""

import threading
from collections.abc import Callable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 30.0


class Breaker:
    """`clock` gives seconds that never go back. The first pause is doubled with each failure, up to the longest."""

    def __init__(self, clock: Callable[[], float], first_pause_s: float = _FIRST_PAUSE_S, longest_pause_s: float = _LONGEST_PAUSE_S) -> None:
        self._clock = clock
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._lock = threading.Lock()
        self._changes = 0
        self._away_until: float | None = None
        self._pause_s = first_pause_s

    def enter(self) -> int | None:
        """A ticket for one try; None: do without."""
        with self._lock:
            if self._away_until is not None:
                if self._clock() < self._away_until:
                    return None
                self._away_until = self._clock() + self._pause_s
                self._changes += 1
            return self._changes

    def failed(self, ticket: int) -> bool:
        """A try failed. True when that is news; tries that began before the last change are not."""
        with self._lock:
            if ticket != self._changes:
                return False
            news = self._away_until is None
            self._pause_s = self._first_pause_s if news else min(self._pause_s * 2, self._longest_pause_s)
            self._away_until = self._clock() + self._pause_s
            self._changes += 1
            return news

    def worked(self, ticket: int) -> bool:
        """A try worked. True when that is news."""
        if self._away_until is None:
            return False
        with self._lock:
            if ticket != self._changes or self._away_until is None:
                return False
            self._away_until = None
            return True
