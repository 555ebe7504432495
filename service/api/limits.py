"""The limits and defaults of the routes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits and defaults, as the settings give them. The names carry the units."""

    default_every: str
    max_body_bytes: int
    max_unpacked_bytes: int
    max_document_bytes: int
    body_silence_s: float
    body_timeout_s: float
    max_write_memory_bytes: int
    write_timeout_s: float
    telemetry_lookback: str
