"""Jobs as JSON: what a row says, with the rate and the rest of the time worked out."""

import datetime as dt
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from service.domain.job import Job, JobState, LogLine
from service.domain.schedule import Schedule
from service.state.schedules import ScheduleState


class ProgressInfo(BaseModel):
    """How much is done, in `unit`. Null: not known (yet)."""

    done: int
    total: int | None
    unit: str
    rate_per_s: float | None
    eta_s: float | None


class JobError(BaseModel):
    """Why it failed, or why it will be tried again, and what to do. `upstream`: what another server wrote, for keys with `admin` alone."""

    code: str
    message: str
    upstream: str | None = None


class JobInfo(BaseModel):
    """A job. `attempts`: starts since its last checkpoint; `next_try_at`: when a queued one may start."""

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
    """A line of its log. `number` grows with each line. Lines of the level `upstream` hold what another server wrote, for keys with `admin` alone."""

    number: int
    at: str
    level: str
    message: str


class JobDetail(JobInfo):
    """A job with the newest lines of its log."""

    log: list[JobLogLine]


class JobList(BaseModel):
    """Jobs, the newest first. `before`: as a parameter it gives those that follow; null: there are no more."""

    jobs: list[JobInfo]
    before: str | None


class ScheduleInfo(BaseModel):
    """A schedule: by `cron` in `zone`, or `every` HH:MM:SS. `skipped`: ticks left out, because its last job was not done or by `missed`."""

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
    """The schedules, by name."""

    schedules: list[ScheduleInfo]


def schedule_info(schedule: Schedule, state: ScheduleState | None) -> ScheduleInfo:
    ran: dict[str, Any] = {"next_run": None, "last_run": None, "last_job": None, "skipped": 0}
    if state is not None:
        ran = {"next_run": time_text(state.next_run), "last_run": time_text(state.last_run), "last_job": state.last_job, "skipped": state.skipped}
    return ScheduleInfo(**asdict(schedule), **ran)


def job_info(job: Job, now: float) -> JobInfo:
    return JobInfo(**_members(job, now))


def job_detail(job: Job, lines: list[LogLine], now: float) -> JobDetail:
    return JobDetail(**_members(job, now), log=[line_info(line) for line in lines])


def line_info(line: LogLine) -> JobLogLine:
    return JobLogLine(number=line.number, at=time_text(line.at) or "", level=line.level, message=line.message)


def _members(job: Job, now: float) -> dict[str, Any]:
    progress = job.progress
    at = job.finished_at or now
    moves = job.state is not JobState.QUEUED
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
            "rate_per_s": progress.rate(at) if moves else None,
            "eta_s": progress.eta_s(at) if moves else None,
        },
        "result": job.result,
        "error": job.error,
    }


def time_text(moment: float | None) -> str | None:
    """Seconds since 1970 as RFC 3339 in UTC, to the millisecond."""
    return None if moment is None else dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
