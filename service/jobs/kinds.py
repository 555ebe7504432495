"""The kinds of job that this installation has, by name."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from service.domain.access import Principal, Scope
from service.domain.schedule import Schedule
from service.errors import InvalidParameter
from service.jobs.kind import JobKind

R = TypeVar("R")


class Kinds:
    """Raises ValueError for two kinds of one name."""

    def __init__(self, kinds: Iterable[JobKind] = ()) -> None:
        self._kinds: dict[str, JobKind] = {}
        for kind in kinds:
            if kind.name in self._kinds:
                raise ValueError(f"There are two kinds of job {kind.name!r}. Give one of them another name.")
            self._kinds[kind.name] = kind

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._kinds)

    def shares(self, slots: int) -> Sequence[tuple[Sequence[str], int]]:
        """Names of kinds that share slots, with the number: `slots` for most, and for some kinds their own."""
        separate = {name: kind.slots for name, kind in self._kinds.items() if kind.slots is not None}
        shared = [name for name in self.names if name not in separate]
        return [(shared, slots), *(([name], number) for name, number in sorted(separate.items()))]

    def get(self, name: str) -> JobKind:
        """Raises InvalidParameter."""
        if name not in self._kinds:
            known = ", ".join(self.names) or "none"
            raise InvalidParameter("kind", f"There is no kind of job {name!r}. There are: {known}.")
        return self._kinds[name]

    def runnable(self, name: str, runnable_type: type[R]) -> R:
        """What runs the kind `name`, as the type that its package knows. Raises InvalidParameter, TypeError."""
        runnable = self.get(name).runnable
        if not isinstance(runnable, runnable_type):
            runs = type(runnable).__name__
            raise TypeError(f"Jobs of the kind {name!r} are run by a {runs}, not a {runnable_type.__name__}.")
        return runnable

    def of(self, principal: Principal) -> Sequence[str]:
        """Names of those that the holder of a key may see: with `admin` all, else those of its scopes."""
        return [name for name in self.names if principal.may(Scope.ADMIN) or principal.may(self._kinds[name].scope)]

    @property
    def scheduling(self) -> Sequence[JobKind]:
        """The kinds whose configuration makes schedules."""
        return [kind for kind in self._kinds.values() if kind.schedules is not None]

    def schedules(self) -> dict[str, Schedule]:
        """The schedules that the configuration of kinds makes now, by name."""
        return {name: schedule for kind in self.scheduling for name, schedule in kind.made_schedules().items()}
