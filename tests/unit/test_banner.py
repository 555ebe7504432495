"""What `serve` prints: the store and whether it answers, and the key on a terminal alone."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import with_demo_place
from service.commands.banner import FirstKey, banner, store_line
from service.commands.near_names import near_names
from service.settings import Settings
from tests.support.servers import InfluxServer, free_port

URL = "http://127.0.0.1:8000"


def settings(**changed: object) -> Settings:
    return Settings(_env_file=None, **changed)  # type: ignore[call-arg, arg-type]


def influx_at(url: str, token: str = "token") -> Settings:
    return settings(influxdb_url=url, influxdb_token=token, influxdb_org="org")


def first_key(tmp_path: Path) -> FirstKey:
    file = tmp_path / "my data" / "first-key.txt"
    file.parent.mkdir()
    file.write_text("fg_1_2_3\n")
    return FirstKey("fg_1_2_3", file)


def test_on_a_terminal_the_key_is_there_to_copy(tmp_path: Path) -> None:
    lines = banner(URL, "embedded", first_key(tmp_path), on_terminal=True, demo=False)
    assert "Key       fg_1_2_3\n" in lines
    assert '-H "X-API-Key: fg_1_2_3"' in lines


def test_a_log_names_the_file_and_its_calls_work(tmp_path: Path) -> None:
    """A key in the log of a container is read by whoever reads logs."""
    lines = banner(URL, "embedded", first_key(tmp_path), on_terminal=False, demo=True)
    assert "fg_1_2_3" not in lines
    assert f"Key       in {tmp_path / 'my data' / 'first-key.txt'} (printed on a terminal only)" in lines
    call = next(line for line in lines.splitlines() if line.strip().startswith("curl"))
    echo = subprocess.run(
        ["sh", "-c", call.replace("curl", "echo")], capture_output=True, text=True, timeout=10, check=True
    )
    assert echo.stdout == f"-sS --fail -H X-API-Key: fg_1_2_3 {URL}/buckets\n"


def test_without_a_first_key_the_calls_take_the_variable() -> None:
    assert '"X-API-Key: $FLUXGATE_API_KEY"' in banner(URL, "embedded", None, on_terminal=True, demo=False)


def test_the_embedded_store_is_named_with_the_reason() -> None:
    assert store_line(settings(data_dir=Path("data"))) == "embedded in data/ (no INFLUXDB_URL)"


def test_an_influxdb_that_is_away_is_said_to_be() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert store_line(influx_at(url)) == f"InfluxDB {url}  DOES NOT ANSWER"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def test_an_influxdb_that_is_silent_does_not_keep_the_start_waiting(silent: str) -> None:
    assert store_line(influx_at(silent)) == f"InfluxDB {silent}  DOES NOT ANSWER"


@pytest.mark.live
def test_a_real_influxdb_answers_or_refuses_the_token(influx: InfluxServer) -> None:
    right = settings(influxdb_url=influx.url, influxdb_token=influx.token, influxdb_org=influx.org)
    assert store_line(right) == f"InfluxDB {influx.url}  answers"
    assert store_line(influx_at(influx.url, "wrong")) == f"InfluxDB {influx.url}  REFUSES THE TOKEN"


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("INFLUX_URL", "INFLUXDB_URL"),
        ("INFLUX_TOKEN", "INFLUXDB_TOKEN"),
        ("INFLUX_ORG", "INFLUXDB_ORG"),
        ("INFLUX_HOST", "INFLUXDB_URL"),
        ("INFLUXDB_V2_URL", "INFLUXDB_URL"),
        ("REDIS_URI", "REDIS_URL"),
        ("API_KEYS", "API_KEY"),
    ],
)
def test_a_name_that_is_nearly_a_setting_is_noticed(name: str, setting: str) -> None:
    assert list(near_names({name: "x"})) == [(name, setting)]
    assert list(near_names({name: "x", setting: "y"})) == []
    assert list(near_names({name: ""})) == []


def test_names_of_other_programs_are_left_alone() -> None:
    names = (
        "PATH",
        "HOME",
        "LANG",
        "LOGNAME",
        "XDG_DATA_DIRS",
        "OPENAI_API_KEY",
        "DATABASE_URL",
        "TZ",
        "PORT",
        "TMPDIR",
        "FLUXGATE_URL",
    )
    assert list(near_names(dict.fromkeys(names, "x"))) == []


def test_the_demo_has_coordinates_unless_some_are_set() -> None:
    place = with_demo_place(settings())
    assert place.latitude is not None and place.longitude is not None
    assert with_demo_place(settings(latitude=1.0, longitude=2.0)).latitude == 1.0
