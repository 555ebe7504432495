"""The JSON bodies of the routes of keys."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.api.job_schemas import time_text
from service.domain.access import Scope
from service.state.keys import KeyRecord

_MOST_BUCKETS = 1000
BucketName = Annotated[str, Field(min_length=1, max_length=1000)]
_EXAMPLE: JsonDict = {
    "id": "1a2b3c4d",
    "name": "analyst",
    "scopes": ["read"],
    "without_effect": [],
    "buckets": ["Power Consumption"],
    "state": "valid",
    "created_at": "2026-01-01T00:00:00.000Z",
    "expires_at": "2026-01-31T00:00:00.000Z",
    "revoked_at": None,
    "used_at": "2026-01-02T08:15:00.000Z",
    "made_by": "0f1e2d3c",
}


class NewKey(BaseModel):
    """A key to make. `expires` is a duration (30d), a day (its begin in UTC) or an RFC 3339 time; null: never."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"name": "analyst", "scopes": ["read"], "buckets": ["Power Consumption"], "expires": "30d"}
        },
    )

    name: Annotated[str, Field(max_length=200, description="Who or what the key is for.")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope), description="What it may do.")]
    buckets: Annotated[
        list[BucketName] | None,
        Field(
            min_length=1,
            max_length=_MOST_BUCKETS,
            description="Only these buckets; for read and write only. Null, and not an empty list: every bucket.",
        ),
    ] = None
    expires: Annotated[str | None, Field(max_length=40, description="When it ends.")] = None


class KeyInfo(BaseModel):
    """A key without its secret. `state`: valid, expired or revoked. `buckets` null: every bucket.

    `without_effect` are scopes that a key limited to buckets cannot use. `made_by`: the key that made it over HTTP;
    null: it was made on the gateway's machine, or with API_KEY.
    """

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str
    name: str
    scopes: list[str]
    without_effect: list[str]
    buckets: list[str] | None
    state: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    used_at: str | None
    made_by: str | None


class CreatedKey(KeyInfo):
    """A new key. `key` is shown in this answer alone: only its hash is kept."""

    model_config = ConfigDict(json_schema_extra={"example": {**_EXAMPLE, "key": "fg_1a2b3c4d_…"}})

    key: str


class RevokedKey(KeyInfo):
    """A key that has ended. `with_keys`: ids of the keys that it made, and that these made; they have ended too."""

    model_config = ConfigDict(json_schema_extra={"example": {**_EXAMPLE, "state": "revoked", "with_keys": []}})

    with_keys: list[str]


class KeyList(BaseModel):
    """All keys, the oldest first."""

    keys: list[KeyInfo]


def key_info(record: KeyRecord, now: float) -> KeyInfo:
    """The key as JSON. `now`: seconds since 1970."""
    return KeyInfo(
        id=record.id,
        name=record.name,
        scopes=[scope.value for scope in record.scopes],
        without_effect=[scope.value for scope in record.without_effect],
        buckets=None if record.buckets is None else list(record.buckets),
        state=record.state_at(now),
        created_at=time_text(record.created_at) or "",
        expires_at=time_text(record.expires_at),
        revoked_at=time_text(record.revoked_at),
        used_at=time_text(record.used_at),
        made_by=record.made_by,
    )
