"""The kind `backup` as one value, with its nightly schedule."""

from collections.abc import Callable, Mapping

from service.domain.access import Scope
from service.domain.job import Json
from service.domain.schedule import Schedule
from service.jobs.backup.pings import Pings
from service.jobs.backup.runnable import BackupRunnable
from service.jobs.kind import JobKind

KIND = "backup"
NIGHTLY = f"{KIND} nightly"


def backup_kind(runnable: BackupRunnable, pings: Pings, nightly: Callable[[], Schedule | None]) -> JobKind:
    """Backups are tried again for as long as it takes: a store that is away at midnight is backed up when it is back."""

    def schedules() -> Mapping[str, Schedule]:
        schedule = nightly()
        return {} if schedule is None else {schedule.name: schedule}

    return JobKind(KIND, Scope.BACKUP, runnable, schedules=schedules, ended=pings.ended)


def nightly_schedule(time_of_day: str, zone: str, parameters: Json) -> Schedule:
    """Every night at `time_of_day` (HH:MM) of `zone`. Raises InvalidParameter."""
    hour, minute = time_of_day.split(":")
    return Schedule(NIGHTLY, KIND, parameters, cron=f"{int(minute)} {int(hour)} * * *", zone=zone)
