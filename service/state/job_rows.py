"""Jobs and lines of their logs out of rows, and the values of rows that are computed."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from service.domain.job import UPSTREAM, Job, JobState, Json, LogLine, Progress

_SAME_AS_MEMBERS = (
    "id", "kind", "parameters", "exclusion_key", "created_at", "run_after", "created_by", "schedule",
    "lease_owner", "lease_until", "fence", "attempts", "max_attempts", "deadline", "cancel_requested",
    "checkpoint", "result", "error", "started_at", "finished_at", "version",
)  # fmt: skip
"""Columns that are members of `Job` as they are."""


def job_of(row: sa.Row[Any]) -> Job:
    """The job of a row of `jobs`."""
    progress = None if row.progress is None else Progress(**row.progress)
    members = {name: getattr(row, name) for name in _SAME_AS_MEMBERS}
    return Job(state=JobState(row.state), progress=progress, **members)


def line_of(row: sa.Row[Any]) -> LogLine:
    """The line of a row of `job_log`."""
    return LogLine(row.number, row.at, row.level, row.message)


def new_id(now: float) -> str:
    """A new id. Ids sort by the time of creation, to the millisecond."""
    return f"{int(now * 1000):012x}{secrets.token_hex(4)}"


def deduplication_key(kind: str, exclusion_key: str | None, parameters: Mapping[str, Any]) -> str:
    """A text that is equal for jobs that would do the same work."""
    text = json.dumps([kind, exclusion_key, parameters], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def error_of(code: str, message: str, upstream: str = "") -> Json:
    """The error of a job as its row holds it."""
    return {"code": code, "message": message, **({UPSTREAM: upstream} if upstream else {})}
