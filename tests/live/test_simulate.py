"""`fluxgate simulate` as the write test of an installation: it passes, and it fails when something lacks or differs."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fluxgate_client import connect
from service.demo.write_test import WriteTest
from tests.support.gateways import KEY, MODULE, Gateway, environment, running_gateway
from tests.support.servers import InfluxServer


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("simulate"), {}) as running:
        yield running


def command(gateway: Gateway, *options: str, key: str = KEY) -> list[str]:
    return [*MODULE, "simulate", "--url", gateway.url, "--key", key, *options]


def simulate(folder: Path, gateway: Gateway, *options: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    variables = environment({}, folder)
    words = command(gateway, *options, key=key)
    return subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)


def check_passes(folder: Path, gateway: Gateway) -> None:
    first = simulate(folder, gateway, "--for", "1s", "--rate", "70")
    assert (first.returncode, first.stderr) == (0, "")
    lines = first.stdout.splitlines()
    assert lines[0] == "The bucket 'Sensors (Testing)' is made."
    assert lines[1] == "Writing 70 points of 7 sensors, 70 a second."
    assert lines[2].startswith("70 points written, 0 rejected.")
    assert lines[3] == "Read back: 70 of 70 points, 160 of 160 values equal."
    assert lines[4] == "The write test passed: everything that was written is there."
    again = simulate(folder, gateway, "--for", "1s", "--rate", "14")
    assert again.returncode == 0
    assert again.stdout.startswith("The bucket 'Sensors (Testing)' is there.\n")


def test_a_gateway_with_the_embedded_store_passes(gateway: Gateway, tmp_path: Path) -> None:
    check_passes(tmp_path, gateway)


def test_a_gateway_with_an_influxdb_passes(influx: InfluxServer, tmp_path: Path) -> None:
    settings = {"INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org}
    with running_gateway(tmp_path / "gateway", settings) as running:
        check_passes(tmp_path, running)


def test_an_interrupted_run_says_what_was_written(gateway: Gateway, tmp_path: Path) -> None:
    words = command(gateway, "--for", "10m", "--rate", "20", "--bucket", "Interrupted")
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment({}, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background ignores it
    )
    with process, connect(gateway.url, KEY) as client:
        while not any(bucket["name"] == "Interrupted" and bucket["last_point"] for bucket in client.buckets()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        stored = client.read("Interrupted", window="1h", every="raw", shape="wide").to_arrow().num_rows
    assert (process.returncode, errors) == (130, f"Interrupted. {stored} points written, 0 rejected.\n")


def test_points_that_the_store_refuses_fail_the_test_and_are_said(gateway: Gateway, tmp_path: Path) -> None:
    with connect(gateway.url, KEY) as client:
        client.create_buckets({"name": "Clash"})
        client.write("Clash", 'co2,sensor=co2-001,room=Hall ppm="many"')
    done = simulate(tmp_path, gateway, "--for", "1s", "--rate", "14", "--bucket", "Clash")
    assert done.returncode == 1
    assert "12 points written, 2 rejected." in done.stdout
    assert "Read back: 12 of 12 points" in done.stdout
    assert "(type_conflict)\n" in done.stderr and done.stderr.endswith("The write test failed.\n")


def test_wrong_options_and_a_key_without_the_right_are_said_before_anything_is_written(
    gateway: Gateway, tmp_path: Path
) -> None:
    too_many = simulate(tmp_path, gateway, "--for", "1h", "--rate", "1000")
    assert (too_many.returncode, too_many.stdout) == (1, "")
    assert "are 3,600,000; a run has at most 200,000. Lower --rate or --for." in too_many.stderr
    assert "is not a duration" in simulate(tmp_path, gateway, "--for", "30").stderr
    assert simulate(tmp_path, gateway, "--rate", "0").returncode == 2
    refused = simulate(tmp_path, gateway, "--for", "1s", key="wrong-key-0123456789")
    assert refused.returncode == 1 and "(401 unauthorized)" in refused.stderr
    away = subprocess.run(
        [*MODULE, "simulate", "--url", "http://127.0.0.1:1", "--key", KEY], cwd=tmp_path,
        env=environment({}, tmp_path), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert away.returncode == 1 and "127.0.0.1:1" in away.stderr


class Lying:
    """A gateway whose reads lose a row and change a value."""

    def __init__(self, gateway: Any, change: Mapping[str, str]) -> None:
        self._gateway = gateway
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def read(self, *arguments: Any, **options: Any) -> Any:
        table = self._gateway.read(*arguments, **options).to_arrow()
        if self._change.get("lose") == options["measurement"]:
            table = table.slice(1)
        if self._change.get("change") == options["measurement"]:
            place = table.column_names.index("celsius")
            table = table.set_column(place, "celsius", pa.array([0.5] * len(table)))
        return type("Answer", (), {"to_arrow": lambda _: table})()


@pytest.mark.parametrize(
    ("change", "found", "equal", "sentence"),
    [
        ({"lose": "temperature"}, 13, 31, "celsius is not there"),
        ({"change": "temperature"}, 14, 30, "celsius is 0.5, not "),
        ({}, 14, 32, ""),
    ],
)
def test_a_point_that_lacks_and_a_value_that_differs_are_noticed(
    gateway: Gateway, change: dict[str, str], found: int, equal: int, sentence: str
) -> None:
    with connect(gateway.url, KEY) as client:
        client.create_buckets({"name": "Lying"})
        test = WriteTest(Lying(client, change), "Lying", 1e6, 7, 14e-6, sleep=lambda _: None)  # type: ignore[arg-type]
        with test.writer() as writer:
            test.write(writer)
        result = test.read_back()
    assert (result.points, result.found, result.values, result.equal) == (14, found, 32, equal)
    assert result.is_equal is (not change)
    assert sentence in " ".join(result.differences)
