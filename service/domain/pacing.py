"""Spreads values over time, so that no more than a rate pass in a second."""

from dataclasses import dataclass

_BURST_S = 1.0
"""What was not used in one second may pass at once."""


@dataclass
class Pace:
    """At most `rate` values a second. Not for several threads at one time."""

    rate: float
    _free_at: float = float("-inf")

    def take(self, amount: int, now: float) -> float:
        """Seconds to wait before `amount` values may pass. They count as passed then.

        More than the rate pass at once, and those after them wait for that.
        """
        start = max(self._free_at, now - _BURST_S)
        self._free_at = start + amount / self.rate
        return max(0.0, start - now)
