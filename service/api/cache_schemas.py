"""The JSON bodies of the routes of the cache."""

from pydantic import BaseModel, ConfigDict, Field


class SettleReport(BaseModel):
    """How old a window of a bucket is before it is kept, and why."""

    bucket: str
    settle_s: float
    measured_late_s: float | None = Field(description="How late its points were in the last days; null: not measured.")
    is_set: bool = Field(description="By CACHE_SETTLE_BUCKETS, which wins over what was measured.")


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
    settle_s: float | None = Field(description="How old a window is before it is kept (CACHE_SETTLE).")
    settle_times: list[SettleReport] = Field(description="Buckets with a setting of their own, or with late points.")


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
                "answers": {"hit": 5, "stale": 0, "miss": 12, "shared": 0, "bypass": 0},
                "windows": {
                    "enabled": True,
                    "reads": {"hit": 3, "partial": 8, "miss": 1, "bypass": 0},
                    "served": 17292,
                    "asked": 1537,
                    "asked_share": 0.089,
                    "waits": 0,
                    "checked": 0,
                    "stale_found": 0,
                    "settle_s": 600.0,
                    "settle_times": [
                        {"bucket": "Meters", "settle_s": 7200.0, "measured_late_s": 5400.0, "is_set": False}
                    ],
                },
            }
        }
    )

    kind: str = Field(description="memory or redis.")
    memory: MemoryReport | None
    answers: dict[str, int] = Field(description="Whole answers: hit, stale, miss, shared, bypass.")
    windows: WindowReport


class Flushed(BaseModel):
    """The buckets that were dropped, and in which range; null: in all time."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"buckets": ["Power"], "start": None, "stop": None}},
    )

    buckets: list[str]
    start: str | None
    stop: str | None
