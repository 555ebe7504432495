"""Writes observations as points: measurement `External Weather Conditions`, tags `source` and `location`."""

from collections.abc import Callable, Mapping
from typing import Any

from service.domain.schema import BucketSpec
from service.errors import StoreFailed
from service.jobs.weather.kind_name import MEASUREMENT
from service.jobs.weather.provider import Observation
from service.lineprotocol.json_points import points_to_lines
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import Refusal, Store

_DESCRIPTION = "Current weather of configured places, from providers on the internet"


class WeatherPoints:
    """Writes into `bucket` of `store`, which is made when it is absent."""

    def __init__(self, store: Store, bucket: str) -> None:
        self._store = store
        self.bucket = bucket

    def create_bucket(self) -> None:
        self._store.create_bucket(BucketSpec(self.bucket, _DESCRIPTION))

    def write(self, source: str, location: str, observation: Observation, log: Callable[[str, str], None]) -> None:
        """Store one point. A field that has another type in the bucket is left out, and the log says so.

        Raises StoreError, RetryLater; StoreFailed when the store refuses the point.
        """
        fields: dict[str, Any] = {name: _float(value) for name, value in observation.numbers.items()}
        fields |= observation.words
        while True:
            refused = self._refused(source, location, observation.time_s, fields)
            if not refused:
                return
            clash = refused[0].clash
            if clash is None or fields.pop(clash.field, None) is None or not fields:
                raise StoreFailed(f"The weather of {location!r} was not stored: {refused[0].reason}")
            log("warning", f"{location}: the field {clash.field!r} is left out. {refused[0].reason}")

    def _refused(self, source: str, location: str, time_s: int, fields: Mapping[str, Any]) -> tuple[Refusal, ...]:
        tags = {"source": source, "location": location}
        point = {"measurement": MEASUREMENT, "tags": tags, "fields": dict(fields), "time": time_s}
        parsed = parse_lines(points_to_lines([point], "s"), "s", 0)
        return self._store.write(self.bucket, parsed.points).refused


def _float(value: float) -> dict[str, object]:
    """A field of the type float, also for 20.0."""
    return {"value": value, "type": "float"}
