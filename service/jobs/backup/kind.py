"""The kinds of job around backups as values, with their schedules."""

from collections.abc import Callable, Mapping

from service.domain.access import Scope
from service.domain.job import Json
from service.domain.schedule import Schedule
from service.jobs.backup.kind_names import BACKUP, DRILL, PLAN, PRUNE, VERIFY
from service.jobs.backup.pings import Pings
from service.jobs.backup.planning import PlanRunnable
from service.jobs.backup.pruning import PruneRunnable
from service.jobs.backup.runnable import BackupRunnable
from service.jobs.backup.verifying import VerifyRunnable
from service.jobs.kind import JobKind
from service.jobs.protocol import Runnable

_BACKUP_ATTEMPTS = 150
"""Their waits double up to five minutes."""
_MOST_ATTEMPTS = 20
"""Of a drill and of pruning, which come again by themselves, and of a dry run."""


def backup_kind(runnable: BackupRunnable, pings: Pings, schedule: Schedule | None) -> JobKind:
    """A store or place that is away at midnight is backed up when it is back, within about half a day.

    Then the job fails, so that the ping of failures is sent and the next night begins anew.
    """
    return JobKind(
        BACKUP,
        Scope.BACKUP,
        runnable,
        max_attempts=_BACKUP_ATTEMPTS,
        schedules=_only(schedule),
        ended=pings.ended,
    )


def plan_kind(runnable: PlanRunnable) -> JobKind:
    """A kind of its own: it waits for no backup, and no ping tells of it."""
    return JobKind(PLAN, Scope.BACKUP, runnable, max_attempts=_MOST_ATTEMPTS)


def verify_kind(runnable: VerifyRunnable) -> JobKind:
    return JobKind(VERIFY, Scope.BACKUP, runnable)


def drill_kind(runnable: Runnable, schedule: Schedule | None) -> JobKind:
    """`runnable`: of service.jobs.restore, which knows this package."""
    return JobKind(DRILL, Scope.BACKUP, runnable, max_attempts=_MOST_ATTEMPTS, schedules=_only(schedule))


def prune_kind(runnable: PruneRunnable, schedule: Schedule | None) -> JobKind:
    """Pruning removes, so it needs `admin`: a key for backups alone removes none."""
    return JobKind(PRUNE, Scope.ADMIN, runnable, max_attempts=_MOST_ATTEMPTS, schedules=_only(schedule))


def daily_schedule(kind: str, name: str, time_of_day: str, zone: str, parameters: Json) -> Schedule:
    """Every day at `time_of_day` (HH:MM) of `zone`. Raises InvalidParameter."""
    hour, minute = time_of_day.split(":")
    return Schedule(f"{kind} {name}", kind, parameters, cron=f"{int(minute)} {int(hour)} * * *", zone=zone)


def cron_schedule(kind: str, name: str, cron: str, zone: str) -> Schedule:
    """Raises InvalidParameter."""
    return Schedule(f"{kind} {name}", kind, {}, cron=cron, zone=zone)


def _only(schedule: Schedule | None) -> Callable[[], Mapping[str, Schedule]]:
    return lambda: {} if schedule is None else {schedule.name: schedule}
