"""`fluxgate weather` with a real InfluxDB behind the gateway: fetched, stored, listed; and the key is in no log."""

import json
import subprocess
import time
from pathlib import Path

from fluxgate_client import connect
from tests.support.gateways import KEY, MODULE, Gateway, environment, running_gateway
from tests.support.servers import InfluxServer
from tests.support.waiting import until
from tests.support.weather_server import WEATHER_KEY, ZOCCA_NUMBERS, changed, reply, weather_server

PLACE = 'Zürich "HB" 🏔'
PLACES = json.dumps({"Zocca": {"latitude": 44.34, "longitude": 10.99}, PLACE: {"latitude": 47.38, "longitude": 8.54}})


def weather(folder: Path, gateway: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*MODULE, "weather", *words, "--url", gateway.url, "--key", KEY]
    variables = environment({"COLUMNS": "200"}, folder)
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)


def test_the_weather_goes_into_an_influxdb_and_the_key_into_no_log(influx: InfluxServer, tmp_path: Path) -> None:
    observed_s = int(time.time()) - 60
    with weather_server() as provider:
        provider.answer = lambda asked: reply(
            changed(coord={"lat": float(asked["lat"]), "lon": float(asked["lon"])}, dt=observed_s)
        )
        settings = {
            "INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org,
            "OPENWEATHERMAP_API_KEY": WEATHER_KEY, "WEATHER_URL": provider.url, "WEATHER_PLACES": PLACES,
            "WEATHER_BUCKET": "Weather 🌦", "LOG_LEVEL": "debug",
        }  # fmt: skip
        with running_gateway(tmp_path / "gateway", settings) as gateway, connect(gateway.url, KEY) as client:
            until(lambda: len(provider.asked) >= 2)  # the schedule fires at the start
            fetched = weather(tmp_path, gateway, "fetch", PLACE)
            assert fetched.returncode == 0 and "14 numbers, Rain" in fetched.stderr
            listed = weather(tmp_path, gateway, "list")
            assert PLACE in listed.stdout and "every 00:30:00 into 'Weather 🌦'" in listed.stdout
            rows = client.read("Weather 🌦", window="1h", every="raw", shape="wide").to_arrow().to_pylist()
            unknown = weather(tmp_path, gateway, "fetch", "Berlin")
            assert unknown.returncode == 1 and "There is no place 'Berlin'" in unknown.stderr
            provider.answer = lambda asked: reply({"cod": 429, "message": f"blocked {asked['appid']}"}, 429)
            blocked = weather(tmp_path, gateway, "fetch", "Zocca")
            assert blocked.returncode == 1 and "the limit of the key is used up" in blocked.stderr
            shown = [json.dumps(client.read("Weather 🌦", window="1h", every="raw").to_arrow().to_pylist(), default=str)]
            shown += [text for done in (fetched, listed, blocked) for text in (done.stdout, done.stderr)]
            shown.append(gateway.http().get("/jobs").text)
        shown.append(gateway.log.read_text())
    assert {(row["location"], row["source"], row["weather_main"]) for row in rows} == {
        ("Zocca", "openweathermap", "Rain"), (PLACE, "openweathermap", "Rain"),
    }  # fmt: skip
    assert [{name: row[name] for name in ZOCCA_NUMBERS} for row in rows] == [ZOCCA_NUMBERS] * 2
    assert not [text for text in shown if WEATHER_KEY in text]
