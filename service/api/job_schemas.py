"""Jobs and schedules as JSON, made from their rows, with the rate and the remaining time of a job."""

import datetime as dt
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from service.domain.job import Job, JobState, LogLine
from service.domain.schedule import Schedule
from service.state.schedules import ScheduleState


class ProgressInfo(BaseModel):
    """How much is done, in `unit`. Null means not known (yet)."""

    done: int
    total: int | None
    unit: str
    rate_per_s: float | None
    eta_s: float | None


class JobError(BaseModel):
    """Why a job failed or will be tried again, and what to do.

    `upstream` is the text of another server; only keys with `admin` see it.
    """

    code: str
    message: str
    upstream: str | None = None


class JobInfo(BaseModel):
    """A job. `attempts` counts starts since its last checkpoint. `next_try_at` is when a queued job may start."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "019b78f1a2c04be11f2e",
                "kind": "mirror",
                "parameters": {"mirror": "plant"},
                "state": "running",
                "created_at": "2026-01-31T12:00:00Z",
                "created_by": "operator",
                "schedule": None,
                "started_at": "2026-01-31T12:00:01Z",
                "finished_at": None,
                "next_try_at": None,
                "deadline": None,
                "attempts": 1,
                "cancel_requested": False,
                "progress": {"done": 120, "total": 400, "unit": "slices", "rate_per_s": 4.0, "eta_s": 70.0},
                "result": None,
                "error": None,
            }
        }
    )

    id: str
    kind: str
    parameters: dict[str, Any]
    state: str
    created_at: str
    created_by: str | None
    schedule: str | None
    started_at: str | None
    finished_at: str | None
    next_try_at: str | None
    deadline: str | None
    attempts: int
    cancel_requested: bool
    progress: ProgressInfo | None
    result: dict[str, Any] | None
    error: JobError | None


class JobLogLine(BaseModel):
    """A line of a job's log. `number` grows with each line.

    Lines of the level `upstream` hold the text of another server; only keys with `admin` see them.
    """

    number: int
    at: str
    level: str
    message: str


class JobDetail(JobInfo):
    """A job with the newest lines of its log."""

    log: list[JobLogLine]


class JobList(BaseModel):
    """Jobs, the newest first. `before`, sent as a parameter, gives the following jobs; null: there are none.

    `warnings` say what keeps queued jobs waiting, such as that no worker is alive.
    """

    jobs: list[JobInfo]
    before: str | None
    warnings: list[str] = []


class ScheduleInfo(BaseModel):
    """A schedule by `cron` in `zone`, or by `every` HH:MM:SS.

    `skipped` counts the runs left out, because the last job had not ended or because of `missed`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "plant at night",
                "kind": "mirror",
                "parameters": {"mirror": "plant"},
                "cron": "30 2 * * *",
                "zone": "Europe/Berlin",
                "every": None,
                "missed": "run_once",
                "enabled": True,
                "at_start": False,
                "next_run": "2026-02-01T01:30:00.000Z",
                "last_run": "2026-01-31T01:30:00.412Z",
                "last_job": "019b78f1a2c04be11f2e",
                "skipped": 0,
            }
        }
    )

    name: str
    kind: str
    parameters: dict[str, Any]
    cron: str | None
    zone: str
    every: str | None
    missed: str
    enabled: bool
    at_start: bool
    next_run: str | None
    last_run: str | None
    last_job: str | None
    skipped: int


class ScheduleList(BaseModel):
    """The schedules, ordered by name."""

    schedules: list[ScheduleInfo]


def schedule_info(schedule: Schedule, state: ScheduleState | None) -> ScheduleInfo:
    """The schedule with its runs so far. `state` is None for a schedule that the scheduler does not know yet."""
    runs: dict[str, Any] = {"next_run": None, "last_run": None, "last_job": None, "skipped": 0}
    if state is not None:
        runs = {
            "next_run": time_text(state.next_run),
            "last_run": time_text(state.last_run),
            "last_job": state.last_job,
            "skipped": state.skipped,
        }
    return ScheduleInfo(**asdict(schedule), **runs)


def job_info(job: Job, now: float) -> JobInfo:
    """The job as JSON. `now`, in seconds since 1970, is where the rate of a running job ends."""
    return JobInfo(**_members(job, now))


def job_detail(job: Job, lines: list[LogLine], now: float) -> JobDetail:
    """The job as JSON, with `lines` of its log."""
    return JobDetail(**_members(job, now), log=[line_info(line) for line in lines])


def line_info(line: LogLine) -> JobLogLine:
    """A log line as JSON."""
    return JobLogLine(number=line.number, at=time_text(line.at) or "", level=line.level, message=line.message)


def _members(job: Job, now: float) -> dict[str, Any]:
    progress = job.progress
    at = job.finished_at or now
    has_started = job.state is not JobState.QUEUED
    return {
        "id": job.id,
        "kind": job.kind,
        "parameters": job.parameters,
        "state": job.state.value,
        "created_at": time_text(job.created_at),
        "created_by": job.created_by,
        "schedule": job.schedule,
        "started_at": time_text(job.started_at),
        "finished_at": time_text(job.finished_at),
        "next_try_at": time_text(job.run_after) if job.state == "queued" else None,
        "deadline": time_text(job.deadline),
        "attempts": job.attempts,
        "cancel_requested": job.cancel_requested,
        "progress": None
        if progress is None
        else {
            "done": progress.done,
            "total": progress.total,
            "unit": progress.unit,
            "rate_per_s": progress.rate(at) if has_started else None,
            "eta_s": progress.eta_s(at) if has_started else None,
        },
        "result": job.result,
        "error": job.error,
    }


def time_text(moment: float | None) -> str | None:
    """Seconds since 1970 as RFC 3339 in UTC, to the millisecond."""
    if moment is None:
        return None
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
