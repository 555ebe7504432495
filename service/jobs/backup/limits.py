"""How hard a backup or a restore may work, and what a backup writes besides line protocol."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkLimits:
    """`concurrency`: slices at one time. `bytes_a_second` 0: no limit. `parquet`: write each slice as Parquet too.

    `max_upload_bytes`: of one tar with a backup from elsewhere.
    """

    concurrency: int = 2
    bytes_a_second: float = 0
    pause_s: float = 0
    parquet: bool = False
    max_upload_bytes: int = 1_000_000_000_000
