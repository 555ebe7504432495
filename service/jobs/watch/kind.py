"""The kind `watch` as one value."""

from service.domain.access import Scope
from service.jobs.kind import JobKind
from service.jobs.watch.definitions import WATCHES
from service.jobs.watch.kind_name import KIND
from service.jobs.watch.runnable import WatchRunnable

_DEADLINE_S = 10 * 60.0
"""A look that was ordered so long ago is left to the next one."""


def watch_kind(runnable: WatchRunnable) -> JobKind:
    """The kind of job. A look that fails is not tried again: the next one is near."""
    return JobKind(
        KIND,
        Scope.CONNECTOR,
        runnable,
        max_attempts=1,
        deadline_s=_DEADLINE_S,
        sections=(WATCHES,),
        schedules=runnable.schedules,
    )
