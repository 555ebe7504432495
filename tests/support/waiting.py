"""Waiting for what another thread, process or server does."""

import time
from collections.abc import Callable


def until(is_true: Callable[[], object], within_s: float = 15.0) -> None:
    """Return as soon as it is true; fail when it is not within so many seconds, which guard against a hang."""
    deadline_s = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline_s, f"it did not come true within {within_s} seconds"
        time.sleep(0.005)
