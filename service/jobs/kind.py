"""A kind of job as one value: what runs it, who may order it, and what it adds to configuration and schedules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.config.section import Section
from service.domain.access import Scope
from service.domain.job import JobState, Json
from service.domain.schedule import Schedule
from service.jobs.protocol import Runnable

JOB_SCOPES = (Scope.MIRROR, Scope.BACKUP, Scope.RESTORE, Scope.CONNECTOR, Scope.ADMIN)
"""The scopes that a kind may need. A key with none of them sees no job."""


@dataclass(frozen=True)
class JobEnd:
    """A job that has ended for good: succeeded, failed or cancelled.

    `outcome`: its result, or its error; None: cancelled. `seconds`: since it was first started.
    """

    job_id: str
    state: JobState
    outcome: Json | None
    seconds: float


@dataclass(frozen=True)
class JobKind:
    """`name` stands in the rows of its jobs, so it never changes.

    `scope`: what a key needs to order, see, cancel and retry its jobs. `max_attempts`: starts without a new checkpoint
    before a job fails (None: as many as it takes). `deadline_s`: seconds from the order until it must be done (None: no
    limit). `sections`: its runtime configuration. `schedules`: gives those that its configuration makes, by
    name: each of this kind, with a name that begins with `schedule_prefix`. `ended`: called once after each run that
    ended its job for good, by the process that ran it; a process that dies right then tells nobody. `slots`: how many
    of its jobs one process runs at a time, beside the jobs of other kinds; None: it shares the slots of all.

    Raises ValueError for a scope that is none of JOB_SCOPES: nobody could see its jobs.
    """

    name: str
    scope: Scope
    runnable: Runnable
    max_attempts: int | None = None
    deadline_s: float | None = None
    sections: tuple[Section, ...] = ()
    schedules: Callable[[], Mapping[str, Schedule]] | None = None
    ended: Callable[[JobEnd], None] | None = None
    slots: int | None = None

    def __post_init__(self) -> None:
        if self.scope not in JOB_SCOPES:
            raise ValueError(f"The kind {self.name!r} needs {self.scope}. A kind needs one of {', '.join(JOB_SCOPES)}.")

    @property
    def schedule_prefix(self) -> str:
        """With it begin the names of the schedules that its configuration makes, and of no others."""
        return f"{self.name} "

    def made_schedules(self) -> Mapping[str, Schedule]:
        """The schedules that its configuration makes now, by name.

        Raises RuntimeError for one that is of another kind, or whose name could hide a schedule that a user wrote.
        """
        made = {} if self.schedules is None else self.schedules()
        for schedule in made.values():
            if schedule.kind != self.name or not schedule.name.startswith(self.schedule_prefix):
                raise RuntimeError(
                    f"The kind {self.name!r} makes the schedule {schedule.name!r} of the kind {schedule.kind!r}. "
                    f"Its schedules are of its own kind, and their names begin with {self.schedule_prefix!r}."
                )
        return made
