"""The port of whoever runs a transfer: may it go on, and how does it wait?"""

from typing import Protocol


class RunControl(Protocol):
    """A job's context fits it. Both methods raise JobInterrupted when the run has to end. Callers let it pass."""

    def check(self) -> None:
        """Raise when the run has to end. Called before every act that others can see."""

    def sleep(self, seconds: float) -> None:
        """Wait, and `check` meanwhile."""
