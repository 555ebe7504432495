"""The settings of the weather: its provider, the places, and where their weather goes."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from service.settings.texts import from_json


class WeatherSettings(BaseModel):
    """Names are the environment's, in lower case here."""

    openweathermap_api_key: SecretStr | None = Field(
        None,
        description="Key of OpenWeatherMap. With it, the weather of each place is fetched (docs/weather.md).",
    )
    weather_provider: str = Field("openweathermap", description="Provider of the weather, by name.")
    weather_url: str | None = Field(
        None,
        description="Address of the provider. Absent: its own, such as https://api.openweathermap.org.",
    )
    weather_places: Annotated[dict[str, Any], NoDecode] = Field(
        {},
        description="Places by name, as JSON. The same name in the section `weather` wins. "
        "Absent: `home`, at LATITUDE and LONGITUDE.",
    )
    weather_every: str = Field("00:30:00", description="Time between two fetches of all places, HH:MM:SS.")
    weather_bucket: str = Field("WeatherAPI", description="Bucket of the weather; it is made when it is absent.")
    weather_timeout_s: float = Field(20, gt=0, description="Longest time of one request to the provider, in seconds.")

    _places_from_json = field_validator("weather_places", mode="before")(from_json)
