"""The kind `weather` as one value."""

from service.domain.access import Scope
from service.jobs.kind import JobKind
from service.jobs.weather.definitions import WEATHER
from service.jobs.weather.kind_name import KIND
from service.jobs.weather.runnable import WeatherRunnable

_DEADLINE_S = 25 * 60.0
"""Weather that is ordered and cannot be fetched so long is left to the next run."""


def weather_kind(runnable: WeatherRunnable) -> JobKind:
    """The kind of job. The section `weather` has the places."""
    return JobKind(
        KIND,
        Scope.CONNECTOR,
        runnable,
        max_attempts=2,
        deadline_s=_DEADLINE_S,
        sections=(WEATHER,),
        schedules=runnable.schedules,
    )
