"""What a kind of job is, and what a run of it may ask of its runner.

A kind is stateless: one object serves every run of its kind, in any process. It must bear being run
again from its last checkpoint, because a process may die after an act and before the checkpoint
that says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from service.domain.access import Principal, Scope
from service.domain.job import Json
from service.errors import InvalidParameter


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


class Kind(Protocol):
    """A kind of job."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> Scope:
        """What a key needs to order, see, cancel and retry it."""

    @property
    def max_attempts(self) -> int | None:
        """Starts without a new checkpoint before it fails; None: as many as it takes."""

    @property
    def deadline_s(self) -> float | None:
        """Seconds from its order until it must be done; None: no limit."""

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        """Two jobs of one key never run at one time. None: any number may."""

    def validate(self, parameters: Mapping[str, Any]) -> None:
        """Raises InvalidParameter."""

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        """Do it, and say what was done. Raises FluxgateError, and lets JobInterrupted pass."""


class Kinds:
    """The kinds that this installation has."""

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._kinds)

    def get(self, name: str) -> Kind:
        """Raises InvalidParameter."""
        if name not in self._kinds:
            raise InvalidParameter("kind", f"There is no kind of job {name!r}. There are: {', '.join(self.names) or 'none'}.")
        return self._kinds[name]

    def of(self, principal: Principal) -> Sequence[str]:
        """Names of those that the holder of a key may see: with `admin` all, else those of its scopes."""
        return [name for name in self.names if principal.may(Scope.ADMIN) or principal.may(self._kinds[name].scope)]
