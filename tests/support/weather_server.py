"""A server that answers as OpenWeatherMap documents its current weather, and can be made to answer anything else.

The answer for Zocca is the documented example; its members are described at https://openweathermap.org/api/current.
"""

import contextlib
import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

WEATHER_KEY = "0123456789abcdef0123456789abcdef"
ZOCCA: dict[str, Any] = {
    "coord": {"lon": 10.99, "lat": 44.34},
    "weather": [{"id": 501, "main": "Rain", "description": "moderate rain", "icon": "10d"}],
    "base": "stations",
    "main": {
        "temp": 25.33, "feels_like": 25.59, "temp_min": 24.41, "temp_max": 26.9,
        "pressure": 1015, "humidity": 64, "sea_level": 1015, "grnd_level": 933,
    },
    "visibility": 10000,
    "wind": {"speed": 0.62, "deg": 349, "gust": 1.18},
    "rain": {"1h": 3.16},
    "clouds": {"all": 100},
    "dt": 1661870592,
    "sys": {"type": 2, "id": 2075663, "country": "IT", "sunrise": 1661834187, "sunset": 1661882248},
    "timezone": 7200,
    "id": 3163858,
    "name": "Zocca",
    "cod": 200,
}  # fmt: skip
ZOCCA_NUMBERS = {
    "temp": 25.33, "feels_like": 25.59, "temp_min": 24.41, "temp_max": 26.9, "pressure": 1015.0, "humidity": 64.0,
    "sea_level": 1015.0, "grnd_level": 933.0, "visibility": 10000.0, "wind_speed": 0.62, "wind_deg": 349.0,
    "wind_gust": 1.18, "rain_1h": 3.16, "clouds_all": 100.0,
}  # fmt: skip
INVALID_KEY = {"cod": 401, "message": "Invalid API key. See https://openweathermap.org/faq#error401 for more info."}
BLOCKED = {"cod": 429, "message": "Your account is temporary blocked due to exceeding of requests limitation."}

Reply = tuple[int, bytes, dict[str, str]]
"""Status, body and headers."""


def changed(**members: Any) -> dict[str, Any]:
    """The documented answer with other members; one that is None is missing."""
    document = {**copy.deepcopy(ZOCCA), **members}
    return {name: value for name, value in document.items() if value is not None}


def reply(document: object, status: int = 200, **headers: str) -> Reply:
    return status, json.dumps(document).encode(), {name.replace("_", "-"): value for name, value in headers.items()}


class WeatherServer:
    """`answer` makes the reply to the parameters of a request. `asked` has the parameters of each."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answer: Callable[[dict[str, str]], Reply] = lambda _: reply(ZOCCA)
        self.slow_s = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
                server.asked.append(parameters)
                server.paths.append(parts.path)
                status, body, headers = server._reply(parameters)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + (headers.get("X-Cut") == "1")))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self._send(body)

            def _send(self, body: bytes) -> None:
                if not server.slow_s:
                    self.wfile.write(body)
                    return
                for position in range(len(body)):
                    self.wfile.write(body[position : position + 1])
                    self.wfile.flush()
                    time.sleep(server.slow_s)

            def log_message(self, *arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _reply(self, parameters: dict[str, str]) -> Reply:
        if parameters.get("appid") != WEATHER_KEY:
            return reply(INVALID_KEY, 401)
        return self.answer(parameters)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def weather_server() -> Iterator[WeatherServer]:
    server = WeatherServer()
    try:
        yield server
    finally:
        server.close()
