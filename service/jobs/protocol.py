"""What runs a kind of job, and what a run of it may ask of its runner.

What runs is stateless: one object serves every run of its kind, in any process. It must bear being run
again from its last checkpoint, because a process may die after an act and before the checkpoint
that says so.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from service.domain.job import Json


class JobContext(Protocol):
    """A run's link to its row. Every method raises JobInterrupted when the run has to end: let it pass."""

    @property
    def job_id(self) -> str: ...

    @property
    def checkpoint(self) -> Json:
        """What was saved last, by this attempt or an earlier one; empty at first."""

    def save(self, checkpoint: Mapping[str, Any]) -> None:
        """Keep what is done. Only AFTER the target acknowledged it: a crash right after must lose nothing."""

    def progress(self, done: int, total: int | None, unit: str) -> None:
        """Tell how far it is. Cheap: written at most once a second."""

    def log(self, level: str, message: str) -> None:
        """A line for people, `info`, `warning` or `error`; without secrets."""

    def check(self) -> None:
        """Raise when the run has to end. Call it before every act that others can see, and at least every second."""

    def sleep(self, seconds: float) -> None:
        """Wait, and `check` meanwhile."""


class Runnable(Protocol):
    """What runs the jobs of one kind."""

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        """Two jobs of one key never run at one time. None: any number may."""

    def validate(self, parameters: Mapping[str, Any]) -> None:
        """Raises InvalidParameter."""

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        """Do it, and say what was done. Raises FluxgateError, and lets JobInterrupted pass."""
