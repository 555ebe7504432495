"""Routes of the weather: fetch it now, and see its places. `/config/weather` configures them."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from service.api.auth import requires
from service.api.deps import Parts, parts_of
from service.api.job_schemas import JobInfo, time_text
from service.api.jobs import state_call, submit_job
from service.api.json_bodies import json_body, request_body
from service.api.problem_schema import PROBLEM
from service.domain.access import Principal, Scope
from service.features.weather.schemas import PlaceInfo, WeatherInfo, WeatherOrder
from service.jobs.weather.kind_name import KIND, SCHEDULE
from service.jobs.weather.place_states import PlaceState
from service.jobs.weather.provider import Place
from service.jobs.weather.runnable import WeatherRunnable

router = APIRouter(tags=["weather"], responses={"default": PROBLEM})
_ORDER = WeatherOrder | None


@router.post(
    "/weather/trigger",
    summary="Fetch the weather now",
    status_code=202,
    openapi_extra=request_body(_ORDER, "Order", required=False),
)
async def run_weather(
    request: Request,
    response: Response,
    order: Annotated[WeatherOrder | None, json_body(_ORDER, Scope.CONNECTOR, required=False)],
    principal: Principal = requires(Scope.CONNECTOR),
) -> JobInfo:
    """Submit a job that fetches the weather of one place or of all, and stores what is new."""
    place = None if order is None else order.place
    return await submit_job(request, response, principal, KIND, {} if place is None else {"place": place})


@router.get("/weather", summary="See the weather's places")
async def show_weather(request: Request, principal: Principal = requires(Scope.CONNECTOR)) -> WeatherInfo:
    """The places, when the weather of each was fetched, and what went wrong last."""
    return await state_call(request, _info, parts_of(request))


def _info(parts: Parts) -> WeatherInfo:
    weather = parts.kinds.runnable(KIND, WeatherRunnable)
    states = weather.states()
    scheduled = parts.schedules.states().get(SCHEDULE)
    return WeatherInfo(
        provider=None if weather.provider is None else weather.provider.name,
        bucket=weather.bucket,
        every=weather.interval(),
        next_run=None if scheduled is None else time_text(scheduled.next_run),
        places=[_place(place, states.get(name)) for name, place in weather.places().items()],
    )


def _place(place: Place, state: PlaceState | None) -> PlaceInfo:
    return PlaceInfo(
        name=place.name,
        latitude=place.latitude,
        longitude=place.longitude,
        last_success=None if state is None or state.fetched_at is None else time_text(state.fetched_at),
        observed_at=None if state is None or state.observed_at is None else time_text(state.observed_at),
        last_error=None if state is None else state.error,
    )
