"""`fluxgate buckets apply`, against a gateway of its own process: twice the same, and changes only with --update."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.gateways import KEY, MODULE, environment, running_gateway
from tests.support.servers import InfluxServer

FILE = [{"name": "Apply A", "description": "Bench", "retention": "30d"}, {"name": "Apply B"}]


def apply(folder: Path, url: str, buckets: object, *options: str) -> subprocess.CompletedProcess[str]:
    file = folder / "buckets.json"
    file.write_text(buckets if isinstance(buckets, str) else json.dumps(buckets))
    command = [*MODULE, "buckets", "apply", "buckets.json", "--url", url, "--key", KEY, *options]
    variables = environment({}, folder)
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60)


def check_apply(folder: Path, url: str) -> None:
    assert apply(folder, url, FILE).stdout == "created   Apply A\ncreated   Apply B\n"
    assert apply(folder, url, FILE).stdout == "existing  Apply A\nexisting  Apply B\n"
    changed = [{**FILE[0], "retention": "60d"}, FILE[1]]
    difference = "Apply A: retention is 30d, the file says 60d"
    assert apply(folder, url, changed).stdout == f"differs   {difference}. --update changes it.\nexisting  Apply B\n"
    assert apply(folder, url, changed, "--update").stdout == f"updated   {difference}\nexisting  Apply B\n"
    assert apply(folder, url, changed).stdout == "existing  Apply A\nexisting  Apply B\n"
    broken = apply(folder, url, '[\n{"name": "x"},\n]')
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr.startswith("buckets.json, line 3, column 1: a comma stands before ].")


def test_a_file_is_applied_to_the_embedded_store(tmp_path: Path) -> None:
    with running_gateway(tmp_path / "gateway", {}) as gateway:
        check_apply(tmp_path, gateway.url)


def test_a_file_is_applied_to_an_influxdb_at_the_start_and_by_command(influx: InfluxServer, tmp_path: Path) -> None:
    at_start = tmp_path / "start.json"
    at_start.write_text(json.dumps([{"name": "Apply at start"}]))
    store = {"INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org}
    with running_gateway(tmp_path / "gateway", {**store, "BUCKETS_FILE": str(at_start)}) as gateway:
        names = {bucket["name"] for bucket in gateway.http().get("/buckets").json()["buckets"]}
        assert "Apply at start" in names
        check_apply(tmp_path, gateway.url)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_gateway_with_a_broken_file_does_not_start(tmp_path: Path, workers: str) -> None:
    (tmp_path / "buckets.json").write_text('[{"name": "_x"}]')
    variables = environment({"BUCKETS_FILE": "buckets.json", "INFLUXDB_URL": "http://127.0.0.1:1",
                             "INFLUXDB_TOKEN": "t", "INFLUXDB_ORG": "o"}, tmp_path)  # fmt: skip
    command = [*MODULE, "serve", "--workers", workers]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "buckets.json: bucket 1 ('_x'): No bucket can be named '_x'" in done.stderr
