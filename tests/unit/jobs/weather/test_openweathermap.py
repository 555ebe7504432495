"""OpenWeatherMap's answers: what of them is stored, and what is refused with which error. The key is never shown."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from service.errors import UpstreamError, UpstreamStopped, UpstreamUnavailable
from service.jobs.weather.http import WeatherHttp
from service.jobs.weather.openweathermap import OpenWeatherMap, observation_of
from service.jobs.weather.provider import Place, ProviderAccess
from tests.support.upstreams import sending_for_ever, speaking
from tests.support.weather_server import (
    BLOCKED,
    WEATHER_KEY,
    ZOCCA,
    ZOCCA_NUMBERS,
    WeatherServer,
    changed,
    reply,
    weather_server,
)

PLACE = Place("Zocca", 44.34, 10.99)
NOW_S = 1_661_870_600.0


@pytest.fixture
def server() -> Iterator[WeatherServer]:
    with weather_server() as running:
        yield running


def provider(server: WeatherServer, key: str = WEATHER_KEY, timeout_s: float = 10.0) -> OpenWeatherMap:
    return OpenWeatherMap(ProviderAccess(WeatherHttp(server.url, timeout_s), key))


def test_the_documented_answer_is_taken_whole(server: WeatherServer) -> None:
    observation = provider(server).observe(PLACE, NOW_S)
    assert (observation.time_s, observation.words, observation.skipped) == (1661870592, {"weather_main": "Rain"}, ())
    assert observation.numbers == ZOCCA_NUMBERS
    assert {type(number) for number in observation.numbers.values()} == {float}
    assert server.paths == ["/data/2.5/weather"]
    assert server.asked == [{"lat": "44.340000", "lon": "10.990000", "units": "metric", "appid": WEATHER_KEY}]


@pytest.mark.parametrize(
    ("document", "numbers", "skipped"),
    [
        (changed(rain=None), {"rain_1h": None}, ()),
        (changed(main={"temp": 20}), {"temp": 20.0, "humidity": None}, ()),
        (changed(main={"temp": 20.5, "new_number": 7}), {"new_number": 7.0}, ()),
        (changed(main={"temp": "20.5", "humidity": 64}), {"temp": None, "humidity": 64.0}, ("temp",)),
        (changed(main={"temp": None, "humidity": True}), {"temp": None}, ("temp", "humidity")),
        (changed(wind=[], visibility="far"), {"wind_speed": None}, ("wind", "visibility")),
        (changed(snow={"1h": 0}), {"snow_1h": 0.0}, ()),
        (changed(main={"temp": 10**400}), {"temp": None}, ("temp",)),
    ],
)
def test_what_is_missing_or_no_number_is_left_out_and_named(
    document: dict[str, Any], numbers: dict[str, float | None], skipped: tuple[str, ...]
) -> None:
    observation = observation_of(document, PLACE, NOW_S)
    assert {name: observation.numbers.get(name) for name in numbers} == numbers
    assert observation.skipped == skipped
    assert all(type(number) is float for number in observation.numbers.values())


@pytest.mark.parametrize("weather", [None, [], {}, "Rain", [None], [{"main": 7}], [{"main": ""}]])
def test_an_answer_without_a_word_has_its_numbers(weather: object) -> None:
    observation = observation_of(changed(weather=weather), PLACE, NOW_S)
    assert (observation.words, observation.skipped) == ({}, ("weather",))
    assert observation.numbers == ZOCCA_NUMBERS


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "is no object"),
        (changed(coord=None), "does not say of which place"),
        (changed(coord={"lat": "44", "lon": 10.99}), "does not say of which place"),
        (changed(coord={"lat": 44.34, "lon": 11.2}), "is of another place: 44.34, 11.2 instead of 44.34, 10.99"),
        (changed(coord={"lat": -44.34, "lon": 10.99}), "is of another place"),
        (changed(dt=None), "has no time"),
        (changed(dt="1661870592"), "has no time"),
        (changed(dt=1661870592.5), "has no time"),
        (changed(dt=True), "has no time"),
        (changed(dt=1661870592000), "dt=1661870592000, is no current one"),
        (changed(dt=0), "is no current one"),
        (changed(main={}, wind=None, clouds=None, rain=None, visibility=None), "has no number to store"),
        ({"cod": "404", "message": "city not found"}, "does not say of which place"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(document: object, sentence: str) -> None:
    with pytest.raises(UpstreamError, match=sentence):
        observation_of(document, PLACE, NOW_S)


def test_a_place_beside_the_date_line_is_the_same_on_both_of_its_sides() -> None:
    at_the_line = Place("Taveuni", -16.8, 180.0)
    assert observation_of(changed(coord={"lat": -16.8, "lon": -179.99}), at_the_line, NOW_S).time_s == ZOCCA["dt"]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "sentence"),
    [
        (401, {}, UpstreamStopped, "OpenWeatherMap refuses the key (401). Set OPENWEATHERMAP_API_KEY"),
        (403, {}, UpstreamStopped, "refuses the key (403)"),
        (429, {}, UpstreamStopped, "429: the limit of the key is used up. The next scheduled run tries again."),
        (429, {"Retry_After": "3600"}, UpstreamStopped, "the limit of the key is used up"),
        (429, {"Retry_After": "7"}, UpstreamUnavailable, "the limit of the key is used up"),
        (400, {}, UpstreamError, "answers 400: it has no weather of this place"),
        (404, {}, UpstreamError, "answers 404"),
        (500, {}, UpstreamUnavailable, "answers 500: it is busy or broken"),
        (503, {"Retry_After": "7"}, UpstreamUnavailable, "answers 503"),
        (503, {"Retry_After": "Tue, 30 Aug 2022 14:43:27 GMT"}, UpstreamUnavailable, "answers 503"),
        (302, {"Location": "http://169.254.169.254/"}, UpstreamStopped, "answers 302. Is WEATHER_URL its address?"),
    ],
)
def test_a_refusal_says_who_has_to_act(
    server: WeatherServer, status: int, headers: dict[str, str], kind: type[UpstreamError], sentence: str
) -> None:
    server.answer = lambda _: reply({**BLOCKED, "echo": WEATHER_KEY}, status, **headers)
    with pytest.raises(UpstreamError) as refused:
        provider(server).observe(PLACE, NOW_S)
    assert type(refused.value) is kind
    assert sentence in refused.value.message
    assert WEATHER_KEY not in refused.value.upstream and "[hidden]" in refused.value.upstream
    assert len(server.asked) == 1
    if headers.get("Retry_After", "3600") != "3600" and isinstance(refused.value, UpstreamUnavailable):
        assert refused.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("body", "headers", "sentence"),
    [
        (b"", {}, "the answer (0 bytes) is no JSON"),
        (b"<html>", {}, "the answer (6 bytes) is no JSON"),
        (b'{"main": {"temp": NaN}}', {}, "is no JSON"),
        (b"[" * 100_000, {}, "is no JSON"),
        (b"\xff\xfe", {}, "is no JSON"),
        (b" " * 300_000, {}, "has more than 256 kB"),
        (b"{}", {"X-Cut": "1"}, "broke off its answer"),
    ],
)
def test_a_broken_answer_is_an_error_and_not_half_an_observation(
    server: WeatherServer, body: bytes, headers: dict[str, str], sentence: str
) -> None:
    server.answer = lambda _: (200, body, headers)
    with pytest.raises(UpstreamError) as broken:
        provider(server, timeout_s=2.0).observe(PLACE, NOW_S)
    assert sentence in broken.value.message


def test_a_server_that_is_slow_or_away_is_given_up_in_time(server: WeatherServer) -> None:
    server.slow_s = 0.05
    server.answer = lambda _: (200, b" " * 100_000, {})  # byte by byte, it would take more than an hour
    with pytest.raises(UpstreamUnavailable, match="did not answer"):
        provider(server, timeout_s=0.3).observe(PLACE, NOW_S)
    with pytest.raises(UpstreamUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
        OpenWeatherMap(ProviderAccess(WeatherHttp("http://127.0.0.1:1", 5.0), WEATHER_KEY)).observe(PLACE, NOW_S)


def test_a_head_that_dribbles_is_given_up_in_time() -> None:
    """Each byte of a head began the time anew, so a provider could hold a job for as long as it liked."""
    dribbling = sending_for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.02)
    with speaking(dribbling) as url, pytest.raises(UpstreamUnavailable, match="gave no answer within 1 s"):
        address = url.replace("upstream.test", "127.0.0.1")
        OpenWeatherMap(ProviderAccess(WeatherHttp(address, 1.0), WEATHER_KEY)).observe(PLACE, NOW_S)


def test_the_key_is_in_no_log_and_no_error(server: WeatherServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    secret = "a-wrong-key-0123456789"
    with pytest.raises(UpstreamStopped) as refused:
        provider(server, secret).observe(PLACE, NOW_S)
    assert server.asked[0]["appid"] == secret
    assert caplog.records, "httpcore writes lines for each request"
    shown = caplog.text + repr([vars(record) for record in caplog.records]) + repr(refused.value) + str(refused.value)
    assert secret not in shown
