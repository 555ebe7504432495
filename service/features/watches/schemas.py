"""The JSON bodies of the routes of watches."""

from typing import Any

from pydantic import BaseModel, ConfigDict

_EXAMPLE: dict[str, Any] = {
    "name": "meters",
    "bucket": "Power Consumption",
    "expect": "5m",
    "every": "00:01:00",
    "enabled": True,
    "has_webhook": True,
    "last_look": "2026-01-31T12:00:01Z",
    "next_look": "2026-01-31T12:01:00Z",
    "last_error": None,
    "series": 12,
    "silent": 1,
    "silent_series": [
        {"measurement": "real_power", "tags": {"meter": "M-101"}, "since": "2026-01-31T11:48:09.25Z"},
    ],
    "notices_waiting": 0,
}


class SilentSeries(BaseModel):
    """A silent series; `since` is the time of its last point."""

    measurement: str
    tags: dict[str, str]
    since: str


class WatchInfo(BaseModel):
    """A watch. `silent` counts its silent series, and `silent_series` has the first hundred of them.

    `last_look`: of the last look that worked. `last_error`: why the last look, or a post, did not work.
    `notices_waiting`: changes that the webhook has not taken.
    """

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    name: str
    bucket: str
    expect: str
    every: str
    enabled: bool
    has_webhook: bool
    last_look: str | None
    next_look: str | None
    last_error: str | None
    series: int
    silent: int
    silent_series: list[SilentSeries]
    notices_waiting: int


class WatchList(BaseModel):
    """All watches."""

    watches: list[WatchInfo]
