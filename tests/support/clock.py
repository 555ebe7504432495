"""The clock of the tests: it shows the time that a test sets, so that no test waits for a real one."""

from typing import Generic, TypeVar

Time = TypeVar("Time", int, float)


class Clock(Generic[Time]):
    """Shows `now`, and stands still until a test sets it: seconds as a float, or nanoseconds as an integer."""

    def __init__(self, now: Time = 1_000.0) -> None:  # type: ignore[assignment]
        self.now = now

    def __call__(self) -> Time:
        return self.now
