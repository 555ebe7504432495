"""The section `weather`: places and how often they are asked for; and the places that follow from it and the settings.

A place of the section wins over one of the same name in WEATHER_PLACES. Without any place there is one, `home`, if
coordinates are known.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.config.section import Section
from service.domain.schedule import parse_interval
from service.errors import InvalidParameter
from service.jobs.weather.provider import Place
from service.lineprotocol.names import Unwritable, quote_tag

SECTION = "weather"
HOME = "home"
MOST_PLACES = 100
_EXAMPLE = {"places": {"Harbour": {"latitude": 53.5436, "longitude": 9.9658}}, "every": "00:30:00"}


class PlaceText(BaseModel):
    """A place in degrees; without both, the gateway's own coordinates."""

    model_config = ConfigDict(extra="forbid")

    latitude: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)
    longitude: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude belong together: write both, or none")
        return self


class WeatherText(BaseModel):
    """`every`: HH:MM:SS, else WEATHER_EVERY. `enabled` false: no schedule."""

    model_config = ConfigDict(extra="forbid")

    places: dict[str, PlaceText] = Field(default_factory=dict, max_length=MOST_PLACES)
    every: str | None = None
    enabled: bool = Field(True, strict=True)

    @model_validator(mode="after")
    def _each(self) -> Self:
        check_names(self.places)
        if self.every is not None:
            parse_interval(self.every, "every")
        return self


def check_names(places: Mapping[str, object]) -> None:
    """Raises InvalidParameter for a name that cannot be a tag."""
    for name in places:
        try:
            quote_tag("location", name)
        except Unwritable as reason:
            raise InvalidParameter("places", f"The place {name[:60]!r} cannot be stored: {reason}.") from None
        if len(name) > 200:
            raise InvalidParameter("places", f"The place {name[:60]!r}… has a name of more than 200 characters.")


WEATHER = Section(SECTION, WeatherText, _EXAMPLE, "All members: docs/weather.md.")


def places_of(
    section: WeatherText, configured: Mapping[str, PlaceText], own: tuple[float, float] | None
) -> dict[str, Place]:
    """All places by name. `configured` are those of the settings; `own`: the gateway's coordinates.

    A place that has no coordinates is left out while the gateway has none.
    """
    texts = {**configured, **section.places}
    if not texts and own is not None:
        texts = {HOME: PlaceText(latitude=None, longitude=None)}
    places = {}
    for name, text in sorted(texts.items()):
        if text.latitude is not None and text.longitude is not None:
            places[name] = Place(name, text.latitude, text.longitude)
        elif own is not None:
            places[name] = Place(name, *own)
    return places
