"""A connector as a value: which windows it sends, from when on, and how."""

from dataclasses import dataclass
from typing import Literal

Start = Literal["now", "oldest"] | int
"""Where a connector without a bookmark begins: at the newest window, at the oldest point, or at a time in ns."""


@dataclass(frozen=True)
class Connector:
    """`window_ns`: the length of windows. `settle_ns`: how long values may still arrive after their time.

    `interval_ns`: the time between two scheduled runs, for the split between live windows and back-fill.
    `look_back_ns` None: late values are not looked for. `look_every_ns`: the time between two look-backs. `max_points`:
    the most values in a batch. `in_flight`: how many batches are sent at one time. `keys_end`: the upstream knows
    `Idempotency-Key` for a limited time, or is not declared to know it. `identity`: a text that changes with the
    configuration.
    """

    name: str
    window_ns: int
    settle_ns: int
    interval_ns: int
    start: Start
    look_back_ns: int | None
    look_every_ns: int
    max_points: int
    in_flight: int
    keys_end: bool
    identity: str
