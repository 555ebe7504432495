"""What is known of each place: when its weather was last fetched, of which time it was, and what went wrong last.

It stands in the checkpoint of the newest job, which takes it over from the job before. So it needs no table, and an old
job may be forgotten.
"""

from dataclasses import asdict, dataclass
from typing import Any

from service.domain.job import Json
from service.jobs.weather.kind_name import KIND
from service.state.jobs import JobStore

_LOOKED_AT = 50


@dataclass(frozen=True)
class PlaceState:
    """Times in seconds since 1970. `source`: the provider; `error`: of the last try, when it failed."""

    source: str
    fetched_at: float | None = None
    observed_at: int | None = None
    error: str | None = None


def known_states(job_store: JobStore) -> dict[str, PlaceState]:
    """The states that the newest job knows, by place."""
    for job in job_store.list([KIND], limit=_LOOKED_AT):
        if job.checkpoint and "places" in job.checkpoint:
            return states_of(job.checkpoint)
    return {}


def states_of(checkpoint: Json) -> dict[str, PlaceState]:
    """The states that a checkpoint holds."""
    places: dict[str, Any] = checkpoint.get("places", {})
    return {name: PlaceState(**state) for name, state in places.items()}


def as_json(states: dict[str, PlaceState]) -> Json:
    return {name: asdict(state) for name, state in states.items()}
