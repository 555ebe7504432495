"""The JSON bodies of the connector routes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.api.job_schemas import time_text
from service.domain.job import Job
from service.domain.timerange import format_time
from service.jobs.forward.views import ConnectorView

_TIME = "RFC 3339 with an offset, or a number since 1970 with its unit, such as 1767225600s."


class ConnectorRequest(BaseModel):
    """A range to send now, beside the schedule, whose bookmark stays where it is.

    Without `connector`, `default` is meant, or the only one. `dry_run` counts what would be sent, and sends nothing.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"connector": "cloud", "start_time": "2026-01-30T00:00:00Z", "end_time": "2026-01-31T00:00:00Z"}
        },
    )

    connector: Annotated[str | None, Field(max_length=60, description="The connector.")] = None
    start_time: Annotated[str, Field(max_length=40, description=f"Start of the range. {_TIME}")]
    end_time: Annotated[str, Field(max_length=40, description="End of the range, exclusive, in the same form.")]
    dry_run: Annotated[bool, Field(strict=True, description="Count, and send nothing.")] = False


class BookmarkOrder(BaseModel):
    """Where the connector goes on: at a time, at `now`, or (null) where its configuration says that it starts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"bookmark": "2026-01-30T00:00:00Z"}})

    bookmark: Annotated[str | None, Field(max_length=40, description=f"The time, or `now`. {_TIME}")]


class LegacyRequest(BaseModel):
    """A range to send now. Times without an offset are in UTC."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"example": {"start_time": "2026-01-30T00:00:00Z", "end_time": "2026-01-31T00:00:00Z"}},
    )

    start_time: Annotated[str, Field(max_length=40, description="Start of the range.")]
    end_time: Annotated[str, Field(max_length=40, description="End of the range, exclusive.")]


class LegacyTicket(BaseModel):
    """The id to ask `GET /api/v1/tasks/{task_id}` for, and the state of the task."""

    model_config = ConfigDict(json_schema_extra={"example": {"task_id": "019b78f1a2c04be11f2e", "status": "PENDING"}})

    task_id: str
    status: str


class LegacyTask(BaseModel):
    """A task: PENDING, STARTED, PROGRESS, SUCCESS or FAILURE. `current` of `total` windows are sent.

    `status` is a sentence for people. `result` is that of the job, once it has succeeded.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"state": "PROGRESS", "current": 3, "total": 12, "status": "3 of 12 windows", "result": None}
        }
    )

    state: str
    current: int
    total: int
    status: str
    result: dict[str, object] | None


class StopInfo(BaseModel):
    """Why a connector sends nothing until a human resumes it, and since when."""

    at: str
    code: str
    message: str


class AcceptedRange(BaseModel):
    """A range beyond the bookmark that the upstream accepted."""

    start_time: str
    end_time: str


class ConnectorInfo(BaseModel):
    """A connector: where it is, what it did, and why it does nothing.

    `bookmark`: the upstream accepted everything before it. `lag_s` is its age, and `newest_lag_s` that of the newest
    window that was accepted. `ahead`: accepted ranges beyond the bookmark. `read`, `sent`, `accepted` and `refused`
    count values, `posts` and `unknown` requests. `error`: why the connector cannot run at all. `last_error`: why its
    newest job by schedule failed, or waits to be tried again. `warning`: what to look at although it runs, such as a
    bookmark in the future.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "cloud",
                "state": "running",
                "source": "store",
                "upstream": "https://cloud.example",
                "bookmark": "2026-01-31T12:00:00Z",
                "set_by": None,
                "lag_s": 95.2,
                "newest_lag_s": 95.2,
                "ahead": [],
                "last_accepted": "2026-01-31T12:00:31.412Z",
                "read": 1000000,
                "sent": 1000000,
                "accepted": 999998,
                "refused": 2,
                "posts": 104,
                "unknown": 1,
                "dead_letters": 2,
                "oldest_dead_letter": "2026-01-30T07:12:00Z",
                "stopped": None,
                "error": None,
                "warning": None,
                "next_run": "2026-01-31T12:05:00.000Z",
                "last_job": "019b78f1a2c04be11f2e",
                "last_job_state": "succeeded",
                "last_error": None,
            }
        }
    )

    name: str
    state: str
    source: str
    upstream: str
    bookmark: str | None
    set_by: str | None
    lag_s: float | None
    newest_lag_s: float | None
    ahead: list[AcceptedRange]
    last_accepted: str | None
    read: int
    sent: int
    accepted: int
    refused: int
    posts: int
    unknown: int
    dead_letters: int
    oldest_dead_letter: str | None
    stopped: StopInfo | None
    error: str | None
    warning: str | None
    next_run: str | None
    last_job: str | None
    last_job_state: str | None
    last_error: str | None


class ConnectorList(BaseModel):
    """All connectors."""

    connectors: list[ConnectorInfo]


class RemovedLetters(BaseModel):
    """How many dead letters were removed."""

    removed: int


def connector_info(view: ConnectorView, next_run: float | None, last: Job | None) -> ConnectorInfo:
    """A connector as JSON. `next_run`: seconds since 1970. `last`: its newest job by schedule."""
    state, counts, stop = view.state, view.state.counts, view.state.stop if view.is_stopped else None
    ahead = () if state.position is None else state.position.ahead
    oldest_ns = view.letters.oldest_ns
    return ConnectorInfo(
        name=view.name,
        state=_state_word(view),
        source=view.source,
        upstream=view.upstream,
        bookmark=view.bookmark,
        set_by=state.set_by,
        lag_s=view.lag_s,
        newest_lag_s=view.newest_lag_s,
        ahead=[
            AcceptedRange(start_time=format_time(piece.start_ns), end_time=format_time(piece.stop_ns))
            for piece in ahead
        ],
        last_accepted=time_text(state.accepted_at),
        read=counts.read,
        sent=counts.sent,
        accepted=counts.accepted,
        refused=counts.refused,
        posts=counts.posts,
        unknown=counts.unknown,
        dead_letters=view.letters.count,
        oldest_dead_letter=None if oldest_ns is None else format_time(oldest_ns),
        stopped=None if stop is None else StopInfo(at=time_text(stop.at) or "", code=stop.code, message=stop.message),
        error=view.error,
        warning=view.warning,
        next_run=None if stop is not None else time_text(next_run),
        last_job=None if last is None else last.id,
        last_job_state=None if last is None else last.state.value,
        last_error=None if last is None or last.error is None else str(last.error["message"]),
    )


def _state_word(view: ConnectorView) -> str:
    if view.error is not None:
        return "broken"
    if view.is_stopped:
        return "stopped"
    return "running" if view.enabled else "off"
