"""How a job stands in its row, and what makes two jobs the same."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from service.domain.job import UPSTREAM, Job, JobState, Json, LogLine, Progress

_PLAIN = (
    "id", "kind", "parameters", "exclusion_key", "created_at", "run_after", "created_by", "schedule", "lease_owner", "lease_until", "fence",
    "attempts", "max_attempts", "deadline", "cancel_requested", "checkpoint", "result", "error", "started_at", "finished_at", "version",
)  # fmt: skip


def job_of(row: sa.Row[Any]) -> Job:
    progress = None if row.progress is None else Progress(**row.progress)
    return Job(state=JobState(row.state), progress=progress, **{name: getattr(row, name) for name in _PLAIN})


def line_of(row: sa.Row[Any]) -> LogLine:
    return LogLine(row.number, row.at, row.level, row.message)


def new_id(now: float) -> str:
    """Sorts by time of creation, to the millisecond."""
    return f"{int(now * 1000):012x}{secrets.token_hex(4)}"


def sameness(kind: str, exclusion_key: str | None, parameters: Mapping[str, Any]) -> str:
    """Equal for jobs that would do the same."""
    text = json.dumps([kind, exclusion_key, parameters], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def error_of(code: str, message: str, upstream: str = "") -> Json:
    return {"code": code, "message": message, **({UPSTREAM: upstream} if upstream else {})}
