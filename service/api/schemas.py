"""The JSON bodies of the routes, with examples for the OpenAPI document."""

from pydantic import BaseModel, ConfigDict, Field


class NewBucket(BaseModel):
    """A bucket to create. `retention` is a duration such as 30d; null, 0 and inf keep all points."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "Lab 1", "description": "Bench tests", "retention": "30d"}},
    )

    name: str = Field(min_length=1, max_length=1000)
    description: str = Field("", max_length=10_000)
    retention: str | None = None


class BucketUpdate(BaseModel):
    """What to change of a bucket; an absent member stays as it is. `retention` is as in a new bucket."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"description": "Bench tests", "retention": "90d"}},
    )

    description: str = Field("", max_length=10_000)
    retention: str | None = None


class CreatedBuckets(BaseModel):
    """The buckets that were created, and those that existed and were not changed."""

    model_config = ConfigDict(json_schema_extra={"example": {"created": ["Lab 1"], "existing": ["Weather"]}})

    created: list[str]
    existing: list[str]


class BucketInfo(BaseModel):
    """A bucket. `retention` is null when all points are kept.

    `last_point` is null when the bucket is empty, or when its newest point cannot be read; then `note` says why.
    """

    name: str
    description: str
    retention: str | None
    last_point: str | None
    note: str | None = None


class BucketList(BaseModel):
    """The buckets that the key may see."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "buckets": [
                    {
                        "name": "Weather",
                        "description": "",
                        "retention": "30d",
                        "last_point": "2026-01-31T12:00:00Z",
                        "note": None,
                    }
                ],
            }
        }
    )

    buckets: list[BucketInfo]


class FieldInfo(BaseModel):
    """A field and its types. It has several types when the type changed between shard groups."""

    name: str
    types: list[str]


class MeasurementInfo(BaseModel):
    """A measurement with its tag keys and fields.

    `unreadable` are its names that are not UTF-8, with each such byte as \\xHH. They cannot be read.
    """

    name: str
    tags: list[str]
    fields: list[FieldInfo]
    unreadable: list[str] = []


class BucketSchema(BaseModel):
    """The measurements of a bucket."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bucket": "Weather",
                "measurements": [
                    {"name": "real_weather", "tags": ["station"], "fields": [{"name": "celsius", "types": ["float"]}]},
                ],
            }
        }
    )

    bucket: str
    measurements: list[MeasurementInfo]


class TagValues(BaseModel):
    """The values of a tag, sorted. `complete` is false when there are more, or when the store cannot list them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"bucket": "Weather", "tag": "station", "values": ["north", "south"], "complete": True},
        }
    )

    bucket: str
    tag: str
    values: list[str]
    complete: bool


class LineProblem(BaseModel):
    """A line that was not stored: its number in the body, counted from 1, a code and the reason."""

    line: int
    code: str
    reason: str


class Stored(BaseModel):
    """How many points were stored. `bad` are lines that do not parse; `refused` are points that the store refused.

    Both lists name the first thousand; `bad_count` and `refused_count` count all.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"stored": 2, "bad": [], "bad_count": 0, "refused": [], "refused_count": 0}},
    )

    stored: int
    bad: list[LineProblem]
    bad_count: int
    refused: list[LineProblem]
    refused_count: int


class Section(BaseModel):
    """A section of the configuration and its version. The version is 0 before the section is set."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"section": "coordinates", "version": 1, "value": {"latitude": 52.5, "longitude": 13.4}},
        }
    )

    section: str
    version: int
    value: dict[str, object]


class SectionInfo(BaseModel):
    """A section without its value: its name, its version, what it is for, and an example of a value."""

    section: str
    version: int
    description: str
    example: dict[str, object]


class SectionList(BaseModel):
    """The sections of the runtime configuration."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sections": [
                    {
                        "section": "coordinates",
                        "version": 1,
                        "description": "",
                        "example": {"latitude": 52.5, "longitude": 13.4},
                    }
                ]
            }
        }
    )

    sections: list[SectionInfo]


class KeySelf(BaseModel):
    """A key as it sees itself. `scopes` are those that count; `buckets` is null when it may see every bucket."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"id": "1f3a9c07", "name": "lab", "scopes": ["read"], "buckets": ["Lab 1"]}},
    )

    id: str
    name: str
    scopes: list[str]
    buckets: list[str] | None


class Life(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "alive"}})

    status: str


class Dependency(BaseModel):
    """A dependency of the gateway. `state` is up, down or slow; `reason` says why it is not up.

    `ms` is how long its last answer took.
    """

    name: str | None = None
    state: str
    reason: str | None = None
    ms: float | None = None


class Health(BaseModel):
    """The readiness of the gateway. `status`: ready, degraded (no cache: exact, but slower), down or draining.

    `warnings` say what an operator should look at.
    """

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
