"""The settings of the cached store: which windows are kept, since when, and for how long."""

from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from service.settings.texts import duration, from_json


class CacheSettings(BaseModel):
    """Names are the environment's, in lower case here."""

    cache_windows: bool = Field(
        True,
        description="Keep settled windows of reads, and ask the store only for the others (docs/caching.md).",
    )
    cache_windows_s: float = Field(
        7_200,
        gt=0,
        description="How long a window is kept at most, in seconds. Data that reaches the store around the gateway, and"
        " is older than the settle time, shows after that.",
    )
    cache_settle: str = Field(
        "10m",
        description="How long points of a window may still come after its end. Younger windows are not kept.",
    )
    cache_settle_buckets: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description='CACHE_SETTLE of single buckets, as JSON: {"Power": "2h"}.',
    )
    cache_settle_most: str = Field(
        "6h",
        description="What mirrors measured of late points makes the settle time of a bucket at most this long. Equal to"
        " CACHE_SETTLE: it changes nothing.",
    )
    cache_schema_s: float = Field(
        2,
        ge=0,
        description="How long a bucket's schema and retention are kept for windowed reads, in seconds.",
    )
    cache_stale_s: float = Field(
        0,
        ge=0,
        description="For how many seconds after its life a kept answer is served at once, while a new one is made in"
        " the background. 0: never. Not for several processes without REDIS_URL.",
    )
    cache_checked: float = Field(
        0.001,
        ge=0,
        le=1,
        description="Share of answers from kept windows that is asked again and compared, from 0 to 1.",
    )

    @field_validator("cache_settle_buckets", mode="before")
    @classmethod
    def _settle_from_json(cls, value: object) -> object:
        document = from_json(value)
        if not isinstance(document, dict) or not all(isinstance(text, str) for text in document.values()):
            raise ValueError('write an object of durations by bucket, such as {"Power": "2h"}')
        for text in document.values():
            duration(text)
        return document

    _settle_is_duration = field_validator("cache_settle", "cache_settle_most")(duration)
