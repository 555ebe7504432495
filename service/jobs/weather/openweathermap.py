"""OpenWeatherMap's current weather (https://openweathermap.org/api/current), in metric units.

Every number of the sections `main`, `wind`, `clouds`, `rain` and `snow` becomes a float field, also numbers that the
provider adds later: `main.temp` is `temp`, `wind.speed` is `wind_speed`, `rain.1h` is `rain_1h`. What is missing, such
as `rain` on a dry day, is no field of that point.
"""

from collections.abc import Mapping
from typing import Any

from service.domain.retry_after import retry_after_s
from service.errors import UpstreamError, UpstreamStopped, UpstreamUnavailable
from service.jobs.weather.http import json_document
from service.jobs.weather.provider import Observation, Place, ProviderAccess
from service.upstream.client import HttpAnswer

NAME = "openweathermap"
URL = "https://api.openweathermap.org"
_PATH = "/data/2.5/weather"
_PREFIXES = {"main": "", "wind": "wind_", "clouds": "clouds_", "rain": "rain_", "snow": "snow_"}
_NEAR_DEGREES = 0.1
"""The provider rounds coordinates, by less than this."""
_LONGEST_WAIT_S = 60.0
_EARLIEST_S = 946_684_800
"""2000-01-01: an older time is none of a current observation."""
_FUTURE_S = 3600.0
_HIDDEN = "[hidden]"


class OpenWeatherMap:
    """Asks for one place at a time; see `Provider`."""

    name = NAME

    def __init__(self, access: ProviderAccess) -> None:
        self._http = access.http
        self._key = access.key

    def observe(self, place: Place, now_s: float) -> Observation:
        coordinates = {"lat": f"{place.latitude:.6f}", "lon": f"{place.longitude:.6f}"}
        answer = self._http.get(_PATH, {**coordinates, "units": "metric", "appid": self._key})
        if answer.status != 200:
            raise self._failure(answer, now_s)
        try:
            return observation_of(json_document(answer), place, now_s)
        except UpstreamError as odd:
            raise UpstreamError(f"OpenWeatherMap: {odd.finding}", upstream=self._shown(answer)) from None

    def _failure(self, answer: HttpAnswer, now_s: float) -> UpstreamError:
        text = self._shown(answer)
        wait_s = retry_after_s(answer.headers.get("retry-after"), now_s)
        if answer.status in (401, 403):
            finding = f"OpenWeatherMap refuses the key ({answer.status})."
            advice = "Set OPENWEATHERMAP_API_KEY to a valid key. A new key takes up to two hours until it works."
            return UpstreamStopped(f"{finding} {advice}", upstream=text)
        if answer.status == 429:
            finding = "OpenWeatherMap answers 429: the limit of the key is used up."
            if wait_s is not None and wait_s <= _LONGEST_WAIT_S:
                return UpstreamUnavailable(finding, retry_after_s=wait_s, upstream=text)
            advice = "The next scheduled run tries again. Ask for fewer places, or less often (WEATHER_EVERY)."
            return UpstreamStopped(f"{finding} {advice}", upstream=text)
        if answer.status in (408, 425) or answer.status >= 500:
            finding = f"OpenWeatherMap answers {answer.status}: it is busy or broken."
            return UpstreamUnavailable(finding, retry_after_s=wait_s, upstream=text)
        if answer.status in (400, 404, 422):
            finding = f"OpenWeatherMap answers {answer.status}: it has no weather of this place."
            return UpstreamError(finding, upstream=text)
        return UpstreamStopped(f"OpenWeatherMap answers {answer.status}. Is WEATHER_URL its address?", upstream=text)

    def _shown(self, answer: HttpAnswer) -> str:
        return answer.text.replace(self._key, _HIDDEN)


def observation_of(document: object, place: Place, now_s: float) -> Observation:
    """What the answer says of `place`. Raises UpstreamError when it is of another place, or makes no sense."""
    if not isinstance(document, dict):
        raise UpstreamError("the answer is no object.")
    _check_place(document.get("coord"), place)
    time_s = _time(document.get("dt"), now_s)
    numbers: dict[str, float] = {}
    skipped: list[str] = []
    for section, prefix in _PREFIXES.items():
        members = document.get(section, {})
        if isinstance(members, dict):
            _add(numbers, skipped, {f"{prefix}{name}": value for name, value in members.items()})
        else:
            skipped.append(section)
    if "visibility" in document:
        _add(numbers, skipped, {"visibility": document["visibility"]})
    if not numbers:
        raise UpstreamError("the answer has no number to store.")
    words = _words(document.get("weather"))
    return Observation(time_s, numbers, words, tuple(skipped if words else [*skipped, "weather"]))


def _check_place(coordinates: object, place: Place) -> None:
    latitude, longitude = (
        (_number(coordinates.get("lat")), _number(coordinates.get("lon")))
        if isinstance(coordinates, dict)
        else (None, None)
    )
    if latitude is None or longitude is None:
        raise UpstreamError("the answer does not say of which place it is.")
    east_off = abs(longitude - place.longitude) % 360
    if abs(latitude - place.latitude) > _NEAR_DEGREES or min(east_off, 360 - east_off) > _NEAR_DEGREES:
        asked = f"{place.latitude:g}, {place.longitude:g}"
        raise UpstreamError(f"the answer is of another place: {latitude:g}, {longitude:g} instead of {asked}.")


def _time(value: Any, now_s: float) -> int:  # noqa: ANN401  (a member of a JSON document)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UpstreamError("the answer has no time (dt).")
    if not _EARLIEST_S <= value <= now_s + _FUTURE_S:
        raise UpstreamError(f"the time of the answer, dt={str(value)[:30]}, is no current one.")
    return value


def _add(numbers: dict[str, float], skipped: list[str], members: Mapping[str, object]) -> None:
    for name, value in members.items():
        number = _number(value)
        if number is None:
            skipped.append(name)
        else:
            numbers[name] = number


def _number(value: object) -> float | None:
    """`value` as a float; None for what is no number, or none that a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number - number == 0 else None  # infinity comes from 1e999


def _words(conditions: object) -> dict[str, str]:
    """The word of the first, primary condition."""
    first = conditions[0] if isinstance(conditions, list) and conditions else None
    main = first.get("main") if isinstance(first, dict) else None
    return {"weather_main": main} if isinstance(main, str) and main else {}
