"""The weather of configured places over HTTP: fetched by a job, stored once, with everything that can go wrong said."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from service.errors import ConfigurationError
from service.features.feature import Feature, KindServices
from service.features.weather import commands, routes
from service.features.weather.feature import make_with, status
from service.jobs.kind import JobKind
from service.jobs.weather import openweathermap
from service.jobs.weather.provider import Observation, Place, ProviderAccess
from service.settings import Settings
from service.wiring import assemble
from tests.api.conftest import Served
from tests.api.conftest import settings as base_settings
from tests.support.waiting import until
from tests.support.weather_server import (
    BLOCKED,
    WEATHER_KEY,
    ZOCCA_NUMBERS,
    Reply,
    WeatherServer,
    changed,
    reply,
    weather_server,
)

DT = 1_767_268_000
ZURICH = 'Zürich "HB" 🏔, east'
PLACES = {"Zocca": {"latitude": 44.34, "longitude": 10.99}, ZURICH: {"latitude": 47.38, "longitude": 8.54}}
DAY = {"start": "2026-01-01T00:00:00Z", "stop": "2026-01-02T00:00:00Z"}
READ = {**DAY, "every": "raw", "shape": "wide", "format": "json"}


class Station:
    """A second provider: it has no weather but a count of its requests."""

    name = "station"
    counts = itertools.count(1)

    def __init__(self, access: ProviderAccess) -> None:
        self._key = access.key

    def observe(self, place: Place, now_s: float) -> Observation:
        return Observation(DT, {"asked": float(next(self.counts))}, {})


def make(settings: Settings, services: KindServices) -> tuple[JobKind, ...]:
    """Two providers, and no schedule: only what a test orders is asked for."""
    providers = {
        "openweathermap": (openweathermap.OpenWeatherMap, openweathermap.URL),
        "station": (Station, "http://x"),
    }
    return tuple(replace(kind, schedules=None) for kind in make_with(providers, settings, services, pause_s=0.0))


WEATHER = Feature("weather", make, routes.router, commands.cli, status)


@pytest.fixture
def provider() -> Iterator[WeatherServer]:
    with weather_server() as server:
        server.answer = answer_of_its_place
        yield server


def answer_of_its_place(parameters: dict[str, str], **members: Any) -> Reply:
    coordinates = {"lat": float(parameters["lat"]), "lon": float(parameters["lon"])}
    return reply(changed(coord=coordinates, dt=DT, **members))


@pytest.fixture
def gateway(serve: Callable[..., Served], provider: WeatherServer) -> Callable[..., httpx.Client]:
    """Starts a gateway with the key; other settings win."""

    def start(**changes: object) -> httpx.Client:
        access = {"openweathermap_api_key": WEATHER_KEY, "weather_url": provider.url}
        return serve(features=(WEATHER,), **{**access, "weather_places": PLACES, **changes})[0]

    return start


def fetched(client: httpx.Client, **order: str) -> dict[str, Any]:
    """The job of a fetch, at its end."""
    ordered = client.post("/weather/trigger", json=order)
    assert ordered.status_code == 202, ordered.text
    return ended(client, ordered.json()["id"])


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    until(lambda: client.get(f"/jobs/{job_id}").json()["state"] in ("succeeded", "failed", "cancelled"))
    job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
    return job


def rows(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/buckets/WeatherAPI", params=READ)
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def test_the_weather_of_each_place_is_a_point_with_the_providers_time_and_every_number_a_float(
    gateway: Callable[..., httpx.Client],
) -> None:
    client = gateway()
    assert fetched(client)["state"] == "succeeded"
    stored = rows(client)
    assert [(row["_measurement"], row["source"], row["location"]) for row in stored] == [
        ("External Weather Conditions", "openweathermap", name) for name in PLACES
    ]
    assert {row["_time"] for row in stored} == {"2026-01-01T11:46:40Z"}
    assert {name: stored[0][name] for name in ZOCCA_NUMBERS} == ZOCCA_NUMBERS
    assert stored[0]["weather_main"] == "Rain"
    fields = client.get("/buckets/WeatherAPI/schema").json()["measurements"][0]["fields"]
    assert {field["name"]: field["types"] for field in fields} == {
        **{name: ["float"] for name in ZOCCA_NUMBERS}, "weather_main": ["string"],
    }  # fmt: skip


def test_whole_numbers_today_and_fractions_tomorrow_are_one_field(
    gateway: Callable[..., httpx.Client], provider: WeatherServer
) -> None:
    client = gateway()
    provider.answer = lambda asked: answer_of_its_place(asked, main={"temp": 20})
    fetched(client, place="Zocca")
    provider.answer = lambda asked: reply(changed(dt=DT + 600, main={"temp": 20.5}, rain=None))
    assert fetched(client, place="Zocca")["state"] == "succeeded"
    assert [(row["temp"], row.get("rain_1h")) for row in rows(client)] == [(20.0, 3.16), (20.5, None)]


def test_the_same_time_again_writes_no_second_point(
    gateway: Callable[..., httpx.Client], provider: WeatherServer
) -> None:
    client = gateway()
    fetched(client)
    provider.answer = lambda asked: answer_of_its_place(asked, main={"temp": 99.0})
    job = fetched(client)
    assert job["state"] == "succeeded"
    assert any("Zocca: " in line["message"] and "known already" in line["message"] for line in job["log"])
    assert [row["temp"] for row in rows(client)] == [25.33, 25.33]


def test_a_place_that_fails_keeps_no_other_from_being_fetched(
    gateway: Callable[..., httpx.Client], provider: WeatherServer
) -> None:
    client = gateway()
    provider.answer = lambda asked: (
        reply(changed(dt=DT)) if asked["lat"].startswith("47") else answer_of_its_place(asked)
    )
    ordered = client.post("/weather/trigger").json()
    until(lambda: client.get(f"/jobs/{ordered['id']}").json()["attempts"] >= 1 and len(rows(client)) == 1)
    until(lambda: client.get(f"/jobs/{ordered['id']}").json()["error"] is not None)
    places = {place["name"]: place for place in client.get("/weather").json()["places"]}
    assert places["Zocca"]["last_error"] is None and places["Zocca"]["observed_at"] == "2026-01-01T11:46:40.000Z"
    other = places[ZURICH]
    assert other["last_success"] is None
    assert "is of another place: 44.34, 10.99 instead of 47.38, 8.54" in other["last_error"]
    client.post(f"/jobs/{ordered['id']}/cancel")


def test_a_refused_key_ends_the_run_at_the_first_place_and_says_so(
    gateway: Callable[..., httpx.Client], provider: WeatherServer
) -> None:
    secret = "another-key-0123456789"
    client = gateway(openweathermap_api_key=secret)
    job = fetched(client)
    assert (job["state"], len(provider.asked)) == ("failed", 1)
    assert job["error"]["code"] == "upstream_stopped"
    assert "refuses the key (401). Set OPENWEATHERMAP_API_KEY" in job["error"]["message"]
    assert secret not in json.dumps([job, client.get("/weather").json(), client.get("/jobs").json()])


def test_a_limit_that_is_used_up_ends_the_run(gateway: Callable[..., httpx.Client], provider: WeatherServer) -> None:
    provider.answer = lambda _: reply(BLOCKED, 429)
    job = fetched(gateway())
    assert (job["state"], len(provider.asked)) == ("failed", 1)
    assert "the limit of the key is used up" in job["error"]["message"]


def test_a_provider_that_is_busy_is_asked_again_as_it_wants(
    gateway: Callable[..., httpx.Client], provider: WeatherServer
) -> None:
    answers = iter([reply({}, 503, Retry_After="0"), reply(BLOCKED, 429, Retry_After="0"), reply(changed(dt=DT))])
    provider.answer = lambda _: next(answers)
    assert fetched(gateway(), place="Zocca")["state"] == "succeeded"
    assert len(provider.asked) == 3


def test_a_field_that_has_another_type_in_the_bucket_is_left_out_and_named(
    gateway: Callable[..., httpx.Client],
) -> None:
    client = gateway()
    client.post("/buckets", json={"name": "WeatherAPI", "description": "mine"})
    old = f"External\\ Weather\\ Conditions,source=openweathermap,location=Zocca humidity=64i {DT - 60}"
    client.post("/buckets/WeatherAPI/points", params={"precision": "s"}, content=old).raise_for_status()
    job = fetched(client, place="Zocca")
    assert job["state"] == "succeeded"
    assert any("the field 'humidity' is left out" in line["message"] for line in job["log"])
    newest = rows(client)[-1]
    assert (newest["temp"], newest.get("humidity")) == (25.33, None)


def test_places_come_from_the_section_before_the_settings_and_else_from_the_coordinates(
    gateway: Callable[..., httpx.Client], provider: WeatherServer
) -> None:
    client = gateway()
    section = {"places": {"Zocca": {"latitude": 1, "longitude": 2}, "here": {}}, "every": "00:10:00"}
    client.put("/config/weather", json=section).raise_for_status()
    weather = client.get("/weather").json()
    assert (weather["every"], weather["provider"], weather["bucket"]) == ("00:10:00", "openweathermap", "WeatherAPI")
    listed = {place["name"]: (place["latitude"], place["longitude"]) for place in weather["places"]}
    assert listed == {"Zocca": (1, 2), ZURICH: (47.38, 8.54)}  # `here` waits for coordinates
    client.put("/config/coordinates", json={"latitude": 3, "longitude": 4}).raise_for_status()
    assert "here" in [place["name"] for place in client.get("/weather").json()["places"]]
    alone = gateway(weather_places={}, latitude=53.5, longitude=9.9)
    assert [place["name"] for place in alone.get("/weather").json()["places"]] == ["home"]
    assert fetched(alone)["state"] == "succeeded"
    assert rows(alone)[0]["location"] == "home"


def test_the_schedule_is_there_with_a_key_and_a_place_alone(
    serve: Callable[..., Served], provider: WeatherServer
) -> None:
    """It fires at the start of the gateway, too."""

    def gateway(**changes: object) -> httpx.Client:
        access = {"openweathermap_api_key": WEATHER_KEY, "weather_url": provider.url}
        return serve(**{**access, "weather_places": {"Zocca": PLACES["Zocca"]}, **changes})[0]

    def scheduled(client: httpx.Client) -> dict[str, Any]:
        return {schedule["name"]: schedule for schedule in client.get("/schedules").json()["schedules"]}

    client = gateway()
    until(lambda: len(provider.asked) == 1 and client.get("/weather").json()["places"][0]["last_success"] is not None)
    assert scheduled(client)["weather all"]["every"] == "00:30:00"
    client.put("/config/weather", json={"enabled": False}).raise_for_status()
    until(lambda: "weather all" not in scheduled(client))
    assert scheduled(gateway(openweathermap_api_key=None)) == {}
    assert scheduled(gateway(weather_places={})) == {}


def test_what_cannot_be_fetched_is_refused_with_what_to_do(gateway: Callable[..., httpx.Client]) -> None:
    def refusal(client: httpx.Client, **order: object) -> str:
        answer = client.post("/weather/trigger", json=order)
        assert answer.status_code == 422, answer.text
        return str(answer.json()["detail"])

    client = gateway()
    assert "There is no place 'Berlin'. There are: 'Zocca'" in refusal(client, place="Berlin")
    assert client.post("/weather/trigger", json={"city": "x"}).status_code == 422
    assert "Set OPENWEATHERMAP_API_KEY" in refusal(gateway(openweathermap_api_key=None))
    assert "No place is configured. PUT /config/weather" in refusal(gateway(weather_places={}))
    for section in (
        {"places": {"a": {"latitude": 91, "longitude": 0}}},
        {"places": {"a": {"latitude": 1}}},
        {"places": {"": {}}},
        {"places": {"a\nb": {}}},
        {"places": {"a\\": {}}},
        {"every": "30m"},
        {"city": "x"},
    ):
        assert client.put("/config/weather", json=section).status_code == 422, section


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"weather_provider": "oracle"}, "WEATHER_PROVIDER='oracle' is no provider of weather. There are: "),
        ({"weather_every": "30m"}, "WEATHER_EVERY='30m' is not an interval"),
        ({"weather_url": "ftp://x"}, "WEATHER_URL: "),
        ({"weather_bucket": "_x"}, "WEATHER_BUCKET: no bucket has that name"),
        ({"weather_places": {"a": {"latitude": 100, "longitude": 1}}}, "WEATHER_PLACES.a.latitude: "),
        ({"weather_places": {"a\\": {}}}, "WEATHER_PLACES: The place 'a\\\\' cannot be stored"),
    ],
)
def test_a_wrong_setting_stops_the_start(tmp_path: Any, setting: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        assemble(base_settings(tmp_path, openweathermap_api_key=WEATHER_KEY, **setting))
    assert sentence in wrong.value.message


def test_another_provider_is_one_class(gateway: Callable[..., httpx.Client]) -> None:
    client = gateway(weather_provider="station")
    assert fetched(client, place="Zocca")["state"] == "succeeded"
    assert [(row["source"], row["asked"]) for row in rows(client)] == [("station", 1.0)]


def test_monitoring_sees_each_place_and_names_none_that_is_late_to_strangers(
    serve: Callable[..., Served], provider: WeatherServer
) -> None:
    client, parts = serve(
        features=(WEATHER,), openweathermap_api_key=WEATHER_KEY, weather_url=provider.url, weather_places=PLACES
    )
    fetched(client)
    parts.status_board.refresh()
    page = client.get("/metrics").text
    assert 'fluxgate_weather_observed_timestamp_seconds{bucket="WeatherAPI",place="Zocca"} 1.767268e+09' in page
    assert 'fluxgate_weather_last_success_timestamp_seconds{bucket="WeatherAPI",place="Zocca"}' in page
    assert client.get("/health/ready").json()["warnings"] == []
