"""The section `coordinates`: where the telemetry is from."""

from pydantic import BaseModel, ConfigDict, Field

from service.config.section import Section


class Coordinates(BaseModel):
    """Degrees. They win over LATITUDE and LONGITUDE; null leaves them to those."""

    model_config = ConfigDict(extra="forbid")

    latitude: float | None = Field(None, ge=-90, le=90, strict=True, allow_inf_nan=False)
    longitude: float | None = Field(None, ge=-180, le=180, strict=True, allow_inf_nan=False)


COORDINATES = Section("coordinates", Coordinates, {"latitude": 52.52, "longitude": 13.405})
