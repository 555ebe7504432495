"""The JSON bodies of the mirror routes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.api.job_schemas import JobInfo, time_text
from service.jobs.mirror.ledger import PairState, SliceTotals


class MirrorOrder(BaseModel):
    """What to mirror. An empty order runs every mirror as configured.

    `dry_run` changes nothing. `again` also tries what the target refused before.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"mirror": "plant", "bucket": "Weather", "dry_run": True}},
    )

    mirror: Annotated[str | None, Field(max_length=60, description="Only this mirror.")] = None
    bucket: Annotated[str | None, Field(max_length=500, description="Only this bucket of the source.")] = None
    start: Annotated[str | None, Field(max_length=40, description="Start of the range, RFC 3339; needs `stop`.")] = None
    stop: Annotated[str | None, Field(max_length=40, description="End of the range, exclusive; needs `start`.")] = None
    dry_run: Annotated[
        bool,
        Field(strict=True, description="Report what would be copied and removed, and change nothing."),
    ] = False
    again: Annotated[bool, Field(strict=True, description="Also try what the target refused before.")] = False


class OrderedJobs(BaseModel):
    """The submitted jobs, one per mirror."""

    jobs: list[JobInfo]


class SliceCounts(BaseModel):
    """How many slices are in each state.

    `unknown`: values are not compared yet. `partial`: the target refused points. `extra`: the target has points that
    the source lacks.
    """

    equal: int
    different: int
    unknown: int
    partial: int
    extra: int


class PairInfo(BaseModel):
    """A bucket of the source and its copy.

    `lag_s` is how many seconds ago the last success was. The copy has all points written before it.
    """

    source: str
    target: str
    last_success: str | None
    last_full_count: str | None
    lag_s: float | None
    copied_points: int
    equal_points: int
    rejected: int
    slices: SliceCounts


class MirrorInfo(BaseModel):
    """A mirror: its source and target, its last and next run, and the state of its buckets.

    A mirror that cannot run has only `name` and `last_error`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "plant",
                "source": "eu-central-1-1.aws.cloud2.influxdata.com:443",
                "target": "the gateway's own store",
                "mode": "raw",
                "buckets": ["Weather"],
                "next_run": "2026-01-31T13:00:00Z",
                "last_job": "019b78f1a2c04be11f2e",
                "last_job_state": "succeeded",
                "last_error": None,
                "pairs": [
                    {
                        "source": "Weather",
                        "target": "Weather",
                        "last_success": "2026-01-31T12:00:04Z",
                        "last_full_count": "2026-01-31T00:00:03Z",
                        "lag_s": 1800.0,
                        "copied_points": 1000000,
                        "equal_points": 1000000,
                        "rejected": 0,
                        "slices": {"equal": 31, "different": 0, "unknown": 0, "partial": 0, "extra": 0},
                    }
                ],
            }
        }
    )

    name: str
    source: str | None
    target: str | None
    mode: str | None
    buckets: list[str] | str | None
    next_run: str | None
    last_job: str | None
    last_job_state: str | None
    last_error: str | None
    pairs: list[PairInfo]


class MirrorList(BaseModel):
    """All mirrors."""

    mirrors: list[MirrorInfo]


class SliceInfo(BaseModel):
    """A slice. `state` is as in `SliceCounts`; `rejected` values the target refused."""

    start: str
    state: str
    points: int
    rejected: int
    compared_at: str


class SliceList(BaseModel):
    """Slices of a bucket, the newest first. Each is `slice_s` seconds long.

    `before`, sent as a parameter, gives the following ones; null: there are none.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "source": "Weather",
                "target": "Weather",
                "slice_s": 86400.0,
                "slices": [
                    {
                        "start": "2026-01-30T00:00:00Z",
                        "state": "equal",
                        "points": 86400,
                        "rejected": 0,
                        "compared_at": "2026-01-31T12:00:04.000Z",
                    }
                ],
                "before": None,
            }
        }
    )

    source: str
    target: str
    slice_s: float
    slices: list[SliceInfo]
    before: str | None


class DiffRow(BaseModel):
    """A series that differs in a slice of at most an hour. `from` is the start of the slice.

    When the numbers of points are equal, the values differ.
    """

    begin: str = Field(alias="from")
    measurement: str
    tags: dict[str, str]
    field: str
    type: str
    source_points: int
    target_points: int


class LeftOut(BaseModel):
    """A measurement that cannot be read, and why."""

    measurement: str
    reason: str


class Difference(BaseModel):
    """The differences in a range. `hours` counts slices that differ. `complete` is true when every series is listed."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "equal": False,
                "hours": 1,
                "series": [
                    {
                        "from": "2026-01-30T14:00:00Z",
                        "measurement": "weather",
                        "tags": {"station": "s1"},
                        "field": "temp",
                        "type": "double",
                        "source_points": 60,
                        "target_points": 59,
                    }
                ],
                "complete": True,
            }
        }
    )

    equal: bool
    hours: int
    series: list[DiffRow]
    complete: bool
    left_out: list[LeftOut] = []


def pair_info(source: str, target: str, state: PairState, totals: SliceTotals, now: float) -> PairInfo:
    """The state of a pair of buckets as JSON. `now`: seconds since 1970."""
    lag_s = None if state.succeeded_at is None else max(0.0, now - state.succeeded_at)
    return PairInfo(
        source=source,
        target=target,
        last_success=time_text(state.succeeded_at),
        last_full_count=time_text(state.counted_at),
        lag_s=lag_s,
        copied_points=state.copied,
        equal_points=totals.points,
        rejected=totals.rejected,
        slices=SliceCounts(**totals.states),
    )
