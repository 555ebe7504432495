"""The bounds of reads, and how long their answers are kept."""

import math
from dataclasses import dataclass

from service.reads.question import Question


@dataclass(frozen=True)
class ReadLimits:
    """`timeout_s`: of a whole read. `cache_…_s`: how long an answer is kept, 0 for not at all."""

    max_windows: int
    timeout_s: float
    cache_closed_s: float
    """About a range that is over."""
    cache_open_s: float
    """About a range that ends now."""
    cache_telemetry_s: float
    telemetry_word: str
    """What the name of a measurement contains that belongs to the latest telemetry."""
    store_identity: str
    """Says which database answers are from, so that gateways of two may share one Redis."""
    cache_stale_s: float = 0.0
    """How long after its life a kept answer to a read may be served, while a new one is made."""

    def kept_s(self, question: Question) -> float:
        """A closed range is kept for long; one that ends now for a moment, never longer than `every`."""
        if not question.open_ended:
            return self.cache_closed_s
        windows = question.selection.windows
        every_ns = windows.every_ns if windows is not None else 0
        return min(self.cache_open_s, every_ns / 1e9 if every_ns else math.inf)
