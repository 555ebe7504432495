"""The shapes of JSON bodies, with an example for each, as the OpenAPI document shows them."""

from pydantic import BaseModel, ConfigDict, Field


class NewBucket(BaseModel):
    """A bucket to be made. `retention`: a duration such as 30d; null keeps everything."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "Lab 1", "description": "Bench tests", "retention": "30d"}})

    name: str = Field(min_length=1, max_length=1000)
    description: str = Field("", max_length=10_000)
    retention: str | None = None


class CreatedBuckets(BaseModel):
    """Which were made, and which were there already and left alone."""

    model_config = ConfigDict(json_schema_extra={"example": {"created": ["Lab 1"], "existing": ["Weather"]}})

    created: list[str]
    existing: list[str]


class BucketInfo(BaseModel):
    """A bucket. `retention` null: everything is kept. `last_point` null: empty, or not to be found, and then `note` says why."""

    name: str
    description: str
    retention: str | None
    last_point: str | None
    note: str | None = None


class BucketList(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "buckets": [{"name": "Weather", "description": "", "retention": "30d", "last_point": "2026-01-31T12:00:00Z", "note": None}],
            }
        }
    )

    buckets: list[BucketInfo]


class FieldInfo(BaseModel):
    """A field and its types: several when it changed between shard groups."""

    name: str
    types: list[str]


class MeasurementInfo(BaseModel):
    """A measurement. `unreadable`: names of it that are not UTF-8, with each such byte as \\xHH; they cannot be read."""

    name: str
    tags: list[str]
    fields: list[FieldInfo]
    unreadable: list[str] = []


class BucketSchema(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bucket": "Weather",
                "measurements": [{"name": "real_weather", "tags": ["station"], "fields": [{"name": "celsius", "types": ["float"]}]}],
            }
        }
    )

    bucket: str
    measurements: list[MeasurementInfo]


class LineProblem(BaseModel):
    """A line that was not stored: its number in the body from 1, a code, and why."""

    line: int
    code: str
    reason: str


class Stored(BaseModel):
    """How many points were stored. `bad`: lines that do not parse; `refused`: points that the store did not take.

    Both name the first thousand; `bad_count` and `refused_count` count all.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"stored": 2, "bad": [], "bad_count": 0, "refused": [], "refused_count": 0}})

    stored: int
    bad: list[LineProblem]
    bad_count: int
    refused: list[LineProblem]
    refused_count: int


class Section(BaseModel):
    """A section of the configuration and its version. 0: never set."""

    model_config = ConfigDict(json_schema_extra={"example": {"section": "coordinates", "version": 1, "value": {"latitude": 52.5, "longitude": 13.4}}})

    section: str
    version: int
    value: dict[str, object]


class Life(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"status": "alive"}})

    status: str


class Dependency(BaseModel):
    """What the gateway depends on. `state`: up, down or slow; `reason` where it is not up; `ms` its last answer took."""

    name: str | None = None
    state: str
    reason: str | None = None
    ms: float | None = None


class Health(BaseModel):
    """`status`: ready, degraded (the cache is away: slower, and exact) or down. `warnings`: what an operator should look at."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ready",
                "dependencies": {
                    "store": {"name": "influx", "state": "up", "ms": 2.1},
                    "state": {"name": "sqlite", "state": "up", "ms": 0.2},
                },
                "warnings": [],
            }
        }
    )

    status: str
    dependencies: dict[str, Dependency]
    warnings: list[str]
