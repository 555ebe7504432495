"""Spreads values over time, so that no more than a rate pass in a second."""

from dataclasses import dataclass


@dataclass
class Pace:
    """At most `rate` values a second. Not for several threads at one time.

    What was not used in the last `burst_s` may pass at once.
    """

    rate: float
    burst_s: float = 1.0
    _free_at: float = float("-inf")

    def take(self, amount: int, now: float) -> float:
        """Seconds to wait before `amount` values may pass. They count as passed then.

        More than the rate pass at once, and those after them wait for that.
        """
        start = max(self._free_at, now - self.burst_s)
        self._free_at = start + amount / self.rate
        return max(0.0, start - now)
