"""What moving points asks of whoever runs it: whether to go on, and to wait."""

from typing import Protocol


class RunControl(Protocol):
    """A job's context fits it. Both methods raise JobInterrupted when the run has to end: let it pass."""

    def check(self) -> None:
        """Raise when the run has to end. Called before every act that others can see."""

    def sleep(self, seconds: float) -> None:
        """Wait, and `check` meanwhile."""
