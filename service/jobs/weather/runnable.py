"""The job `weather`: it asks a provider for the current weather of each place, and stores what is new.

One place that fails keeps no other from being fetched. A key that is refused, or a limit that is used up, ends the run
at once: no other place would fare better.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from service.domain.backoff import wait_s
from service.domain.job import Json
from service.domain.schedule import Schedule, parse_interval
from service.errors import FluxgateError, InvalidParameter, UpstreamError, UpstreamStopped, UpstreamUnavailable
from service.jobs.parameters import refuse_unknown
from service.jobs.protocol import JobContext
from service.jobs.weather.kind_name import KIND, SCHEDULE
from service.jobs.weather.place_states import PlaceState, as_json, known_states, states_of
from service.jobs.weather.provider import Observation, Place, Provider
from service.jobs.weather.weather_points import WeatherPoints
from service.state.jobs import JobStore
from service.transfer.retry import Retry
from service.transfer.run_log import log_failure

_TRIES = 3
_LONGEST_PAUSE_S = 60.0
"""A provider that asks to wait for longer is left to the next attempt of the job."""


class WeatherRunnable:
    """Fetches `places()` from `provider`; None: it has no key. `pause_s` is between two requests.

    `interval` gives HH:MM:SS; None: there is no schedule. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        provider: Provider | None,
        places: Callable[[], Mapping[str, Place]],
        interval: Callable[[], str | None],
        points: WeatherPoints,
        job_store: JobStore,
        clock: Callable[[], float],
        pause_s: float = 1.0,
    ) -> None:
        self.provider = provider
        self.places = places
        self.interval = interval
        self._points = points
        self._job_store = job_store
        self._clock = clock
        self._pause_s = pause_s

    def states(self) -> dict[str, PlaceState]:
        """What is known of each place."""
        return known_states(self._job_store)

    @property
    def bucket(self) -> str:
        return self._points.bucket

    def late_places(self, states: Mapping[str, PlaceState], intervals: int) -> list[str]:
        """Scheduled places that were tried, and by their `states` have had no success for so many intervals."""
        schedule = self.schedules().get(SCHEDULE)
        if schedule is None or schedule.every is None:
            return []
        oldest = self._clock() - intervals * parse_interval(schedule.every, "every")
        places = self.places()
        return [name for name, state in states.items() if name in places and (state.fetched_at or 0.0) < oldest]

    def schedules(self) -> dict[str, Schedule]:
        """One schedule for all places; none without a key, a place, or an interval."""
        interval = self.interval()
        if self.provider is None or interval is None or not self.places():
            return {}
        return {SCHEDULE: Schedule(SCHEDULE, KIND, every=interval, at_start=True)}

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return KIND

    def validate(self, parameters: Mapping[str, Any]) -> None:
        refuse_unknown("A weather job", parameters, ("place",))
        self._needed_provider()
        self._chosen(parameters)

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        self.validate(parameters)
        places = self._chosen(parameters)
        retry = Retry(context, context.log)
        retry.call(self._points.create_bucket)
        source, configured = self._needed_provider().name, self.places()
        known = states_of(context.checkpoint) or self.states()
        states = {name: state for name, state in known.items() if name in configured}
        done: list[str] = context.checkpoint.get("done", [])
        failed: dict[str, FluxgateError] = {}
        for number, place in enumerate(places):
            if place.name in done:
                continue
            if number:
                context.sleep(self._pause_s)
            try:
                states[place.name] = self._fetched(place, states.get(place.name), context, retry)
                done.append(place.name)
            except FluxgateError as error:
                failed[place.name] = error
                states[place.name] = replace(states.get(place.name) or PlaceState(source), error=error.message)
                log_failure(context.log, "error", f"{place.name}: {error.message}", error)
            context.save({"places": as_json(states), "done": done})
            context.progress(len(done), len(places), "places")
            if isinstance(failed.get(place.name), UpstreamStopped):
                break
        if failed:
            raise _failure(failed, len(places))
        return {"places": as_json({place.name: states[place.name] for place in places})}

    def _needed_provider(self) -> Provider:
        """Raises InvalidParameter."""
        if self.provider is None:
            raise InvalidParameter("place", "There is no key for the weather. Set OPENWEATHERMAP_API_KEY.")
        return self.provider

    def _chosen(self, parameters: Mapping[str, Any]) -> list[Place]:
        """The places of a job. Raises InvalidParameter."""
        places, name = self.places(), parameters.get("place")
        if not places:
            advice = "PUT /config/weather or WEATHER_PLACES makes one, or set LATITUDE and LONGITUDE."
            raise InvalidParameter("place", f"No place is configured. {advice}")
        if name is None:
            return list(places.values())
        if name not in places:
            known = ", ".join(map(repr, places))
            raise InvalidParameter("place", f"There is no place {str(name)[:60]!r}. There are: {known}.")
        return [places[name]]

    def _fetched(self, place: Place, state: PlaceState | None, context: JobContext, retry: Retry) -> PlaceState:
        """Fetch and store the weather of one place. The same time as before is no new point."""
        provider = self._needed_provider()
        observation = self._observed(provider, place, self._clock, context)
        is_new = state is None or (state.source, state.observed_at) != (provider.name, observation.time_s)
        if is_new:
            retry.call(lambda: self._points.write(provider.name, place.name, observation, context.log))
        known = "" if is_new else ", which is known already"
        words = " ".join(observation.words.values())
        summary = f"{len(observation.numbers)} numbers, {words or 'no word'}"
        context.log("info", f"{place.name}: {summary}{known}")
        if observation.skipped:
            context.log("warning", f"{place.name}: no number or word, so not stored: {', '.join(observation.skipped)}")
        return PlaceState(provider.name, self._clock(), observation.time_s)

    @staticmethod
    def _observed(provider: Provider, place: Place, now: Callable[[], float], context: JobContext) -> Observation:
        """Ask up to three times. Raises UpstreamError."""
        tries = 1
        while True:
            context.check()
            try:
                return provider.observe(place, now())
            except UpstreamUnavailable as away:
                asked_s = away.retry_after_s
                if tries >= _TRIES or (asked_s or 0.0) > _LONGEST_PAUSE_S:
                    raise
                pause_s = wait_s(tries, random.random()) if asked_s is None else asked_s  # noqa: S311  (no secret)
                context.log("warning", f"{place.name}: {away.message} Trying again in {pause_s:.0f} s.")
                context.sleep(pause_s)
                tries += 1


def _failure(failed: Mapping[str, FluxgateError], places: int) -> FluxgateError:
    """The error of the run. It is tried again unless a human has to act."""
    stopped = next((error for error in failed.values() if isinstance(error, UpstreamStopped)), None)
    if stopped is not None:
        return stopped
    name, error = next(iter(failed.items()))
    text = f"{len(failed)} of {places} places have no new weather. {name}: {error.message}"
    is_away = any(isinstance(error, UpstreamUnavailable) for error in failed.values())
    return UpstreamUnavailable(text) if is_away else UpstreamError(text)
