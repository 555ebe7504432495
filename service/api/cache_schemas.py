"""The JSON bodies of the routes of the cache."""

from pydantic import BaseModel, ConfigDict, Field


class WindowReport(BaseModel):
    """Kept windows. `asked_share` is `asked` by `served`: a small one is good. It is null before the first read."""

    enabled: bool
    reads: dict[str, int] = Field(description="Reads of the store: hit, partial, miss, bypass.")
    served: int = Field(description="Windows in answers.")
    asked: int = Field(description="Windows that the store was asked for.")
    asked_share: float | None
    waits: int = Field(description="Reads that waited for another one's query.")
    checked: int = Field(description="Answers that were asked again and compared.")
    stale_found: int = Field(description="Of these, how many differed; their buckets were dropped.")


class MemoryReport(BaseModel):
    """What a cache in the process holds, whole answers and windows together."""

    size_bytes: int
    most_bytes: int
    entries: int
    evictions: int = Field(description="How many entries went because others needed their room.")


class CacheReport(BaseModel):
    """The cache as this worker sees it. `memory` is null for Redis, which other programs may use too."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "memory",
                "memory": {"size_bytes": 1685818, "most_bytes": 134217728, "entries": 61, "evictions": 0},
                "answers": {"hit": 5, "miss": 12, "shared": 0, "bypass": 0},
                "windows": {
                    "enabled": True,
                    "reads": {"hit": 3, "partial": 8, "miss": 1, "bypass": 0},
                    "served": 17292,
                    "asked": 1537,
                    "asked_share": 0.089,
                    "waits": 0,
                    "checked": 0,
                    "stale_found": 0,
                },
            }
        }
    )

    kind: str = Field(description="memory or redis.")
    memory: MemoryReport | None
    answers: dict[str, int] = Field(description="Whole answers: hit, miss, shared, bypass.")
    windows: WindowReport


class Flushed(BaseModel):
    """The buckets that were dropped, and in which range; null: in all time."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"buckets": ["Power"], "start": None, "stop": None}},
    )

    buckets: list[str]
    start: str | None
    stop: str | None
