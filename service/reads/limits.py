"""The bounds of reads, and how long their answers are kept."""

from dataclasses import dataclass


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
