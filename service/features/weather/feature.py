"""The feature `weather`, and the function that makes its kind from the settings. It names the providers."""

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from service.api.status_board import GaugeValue, Status
from service.config.coordinates import COORDINATES
from service.config.validation_errors import wrong_members
from service.domain.addresses import WrongAddress, parse_address
from service.domain.schedule import parse_interval
from service.domain.schema import wrong_name
from service.errors import ConfigurationError, InvalidParameter
from service.features.feature import Feature, KindServices
from service.features.weather import commands, routes
from service.jobs import Kinds
from service.jobs.kind import JobKind
from service.jobs.weather import openweathermap
from service.jobs.weather.definitions import SECTION, PlaceText, WeatherText, check_names, places_of
from service.jobs.weather.http import WeatherHttp
from service.jobs.weather.kind import weather_kind
from service.jobs.weather.kind_name import KIND
from service.jobs.weather.provider import MakeProvider, Place, Provider, ProviderAccess
from service.jobs.weather.runnable import WeatherRunnable
from service.jobs.weather.weather_points import WeatherPoints
from service.settings import Settings
from service.state.jobs import JobStore

PROVIDERS: Mapping[str, tuple[MakeProvider, str]] = {
    openweathermap.NAME: (openweathermap.OpenWeatherMap, openweathermap.URL),
}
"""The providers by name, each with its address."""
_LATE_INTERVALS = 3
_FETCHED = "fluxgate_weather_last_success_timestamp_seconds"
_OBSERVED = "fluxgate_weather_observed_timestamp_seconds"
_PLACES = TypeAdapter(dict[str, PlaceText])


def make(settings: Settings, services: KindServices) -> tuple[JobKind, ...]:
    """The kind `weather`. Raises ConfigurationError."""
    return make_with(PROVIDERS, settings, services)


def make_with(
    providers: Mapping[str, tuple[MakeProvider, str]],
    settings: Settings,
    services: KindServices,
    pause_s: float = 1.0,
) -> tuple[JobKind, ...]:
    """The kind over these providers. Raises ConfigurationError for a setting that cannot work."""
    _check(settings)
    configured = _configured_places(settings)

    def section() -> WeatherText:
        return WeatherText.model_validate(services.config.get(SECTION).value)

    def places() -> Mapping[str, Place]:
        return places_of(section(), configured, _coordinates(settings, services))

    def interval() -> str | None:
        text = section()
        return (text.every or settings.weather_every) if text.enabled else None

    runnable = WeatherRunnable(
        _provider(providers, settings),
        places,
        interval,
        WeatherPoints(services.store, settings.weather_bucket),
        JobStore(services.state, services.clock),
        services.clock,
        pause_s,
    )
    return (weather_kind(runnable),)


def _provider(providers: Mapping[str, tuple[MakeProvider, str]], settings: Settings) -> Provider | None:
    """The provider of the settings; None without a key. Raises ConfigurationError."""
    name = settings.weather_provider
    if name not in providers:
        known = ", ".join(sorted(providers))
        raise ConfigurationError(f"WEATHER_PROVIDER={name!r} is no provider of weather. There are: {known}.")
    make_provider, url = providers[name]
    if settings.openweathermap_api_key is None:
        return None
    http = WeatherHttp(settings.weather_url or url, settings.weather_timeout_s)
    return make_provider(ProviderAccess(http, settings.openweathermap_api_key.get_secret_value()))


def _check(settings: Settings) -> None:
    try:
        parse_interval(settings.weather_every, "WEATHER_EVERY")
        if settings.weather_url is not None:
            parse_address(settings.weather_url)
    except InvalidParameter as wrong:
        raise ConfigurationError(wrong.message) from None
    except WrongAddress as wrong:
        raise ConfigurationError(f"WEATHER_URL: {wrong}.") from None
    reason = wrong_name(settings.weather_bucket)
    if reason:
        raise ConfigurationError(f"WEATHER_BUCKET: no bucket has that name: {reason}.")


def _configured_places(settings: Settings) -> Mapping[str, PlaceText]:
    try:
        places = _PLACES.validate_python(settings.weather_places)
        check_names(places)
    except ValidationError as broken:
        member, reason = wrong_members(broken)[0]
        raise ConfigurationError(f"WEATHER_PLACES.{member}: {reason}.") from None
    except InvalidParameter as wrong:
        raise ConfigurationError(f"WEATHER_PLACES: {wrong.message}") from None
    return places


def _coordinates(settings: Settings, services: KindServices) -> tuple[float, float] | None:
    """The gateway's own, of the section `coordinates`, else of the settings."""
    section = services.config.get(COORDINATES.name).value
    latitude = settings.latitude if section["latitude"] is None else section["latitude"]
    longitude = settings.longitude if section["longitude"] is None else section["longitude"]
    return None if latitude is None or longitude is None else (latitude, longitude)


def status(kinds: Kinds) -> Status:
    """When each place was fetched last, and of which time its weather is."""
    weather = kinds.runnable(KIND, WeatherRunnable)
    gauges: list[GaugeValue] = []
    states = weather.states()
    for name, state in states.items():
        labels = {"bucket": weather.bucket, "place": name}
        if state.fetched_at is not None:
            gauges.append(GaugeValue(_FETCHED, "When its weather was last fetched.", state.fetched_at, labels))
        if state.observed_at is not None:
            gauges.append(GaugeValue(_OBSERVED, "Of which time its weather is.", state.observed_at, labels))
    late = weather.late_places(states, _LATE_INTERVALS)
    warning = f"{len(late)} places have had no new weather for {_LATE_INTERVALS} intervals. See GET /weather."
    return Status(tuple(gauges), (warning,) if late else ())


WEATHER = Feature(KIND, make, routes.router, commands.cli, status)
