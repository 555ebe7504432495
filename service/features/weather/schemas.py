"""The JSON bodies of the weather's routes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class WeatherOrder(BaseModel):
    """Which weather to fetch. An empty order fetches that of every place."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"place": "Harbour"}})

    place: Annotated[str | None, Field(max_length=200, description="Only this place.")] = None


class PlaceInfo(BaseModel):
    """A place. `last_success` is when its weather was fetched last, `observed_at` of which time that weather is.

    `last_error` is of the last try, when it failed.
    """

    name: str
    latitude: float
    longitude: float
    last_success: str | None
    observed_at: str | None
    last_error: str | None


class WeatherInfo(BaseModel):
    """The provider (null: there is no key), the bucket, the interval, and the places."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "provider": "openweathermap",
                "bucket": "WeatherAPI",
                "every": "00:30:00",
                "next_run": "2026-01-31T12:30:00Z",
                "places": [
                    {
                        "name": "Harbour",
                        "latitude": 53.5436,
                        "longitude": 9.9658,
                        "last_success": "2026-01-31T12:00:01Z",
                        "observed_at": "2026-01-31T11:57:20Z",
                        "last_error": None,
                    }
                ],
            }
        }
    )

    provider: str | None
    bucket: str
    every: str | None
    next_run: str | None
    places: list[PlaceInfo]
