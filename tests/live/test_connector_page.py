"""The two ways of docs/connector.md in five commands each, run as printed but for addresses, keys and one time."""

import datetime as dt
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.gateways import IMPORTS
from tests.support.recording_upstream import Faults, recording_upstream
from tests.support.servers import InfluxServer, free_port

PAGE = (Path(__file__).parents[2] / "docs" / "connector.md").read_text()


def block_under(heading: str) -> str:
    """The first shell block behind a heading, which has five commands."""
    found = re.search(rf"## {re.escape(heading)}\n.*?```sh\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, heading
    commands = [line for line in found[1].splitlines() if not line.startswith(" ")]
    assert len(commands) == 5
    return found[1]


def changed(block: str, port: int, changes: dict[str, str]) -> str:
    """The block, with a gateway on a port of its own that ends with the shell."""
    of_gateway = {
        "fluxgate serve &": f"fluxgate serve --port {port} & trap 'kill $!' EXIT",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{port}",
    }
    for printed, used in {**of_gateway, **changes}.items():
        assert printed in block, printed
        block = block.replace(printed, used)
    return block


def run(block: str, folder: Path, port: int) -> "subprocess.CompletedProcess[str]":
    (folder / ".venv").symlink_to(Path(sys.prefix))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**kept, "PYTHONPATH": IMPORTS, "FLUXGATE_URL": f"http://127.0.0.1:{port}"}
    return subprocess.run(
        ["bash", "-eu"], input=block, cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )


@pytest.mark.timeout(150)
def test_a_sql_table_arrives_at_the_vendors_api(fresh_postgres_url: str, tmp_path: Path) -> None:
    engine = sa.create_engine(fresh_postgres_url)
    start = dt.datetime(2026, 1, 30, tzinfo=dt.UTC)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE readings (sensor text, value float8, timestamp timestamptz)"))
        rows = [
            {"sensor": sensor, "value": number / 4, "timestamp": start + dt.timedelta(minutes=number)}
            for sensor in ("boiler", "pump")
            for number in range(-10, 1450)
        ]
        connection.execute(sa.text("INSERT INTO readings VALUES (:sensor, :value, :timestamp)"), rows)
    engine.dispose()
    port = free_port()
    with recording_upstream(faults=Faults(authorization="Bearer a-key-of-the-vendor")) as upstream:
        changes = {
            "postgresql+psycopg://reader:…@db.example/plant": fresh_postgres_url,
            "https://vendor.example/api/readings": upstream.url,
            "POST_DATA_API_KEY=…": "POST_DATA_API_KEY=a-key-of-the-vendor",
        }
        done = run(changed(block_under("From a SQL table to the vendor's API"), port, changes), tmp_path, port)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(upstream.values) == 2 * 1440
        assert {value.sensor for value in upstream.values} == {"boiler", "pump"}
    assert '"accepted": 2880' in done.stdout
    assert "a-key-of-the-vendor" not in done.stdout + done.stderr


@pytest.mark.timeout(150)
def test_buckets_arrive_at_thingsboard(influx: InfluxServer, tmp_path: Path) -> None:
    port, now_s = free_port(), time.time_ns() // 10**9
    bucket = influx.new_bucket()
    with recording_upstream("thingsboard") as upstream:
        lines = [f"boiler celsius={60 + number / 4} {now_s - 60 * number}" for number in range(1, 120)]
        influx.write(bucket, "\n".join(lines), "s")
        changes = {
            "http://127.0.0.1:8086": influx.url,
            "INFLUXDB_TOKEN=…": f"INFLUXDB_TOKEN={influx.token}",
            "my-org": f"'{influx.org}'",
            '"Plant"': f'"{bucket}"',
            "FLUXGATE_TOKEN_DEVICE=…": "FLUXGATE_TOKEN_DEVICE=a-token-of-the-device",
            "https://thingsboard.example": f"http://127.0.0.1:{upstream.port}",
        }
        block = changed(block_under("From InfluxDB to ThingsBoard"), port, changes)
        # The gateway ends with the shell, which waits until back-fill is over.
        caught_up = ".venv/bin/fluxgate connector show thingsboard | grep -q '\"accepted\": 119'"
        done = run(f"{block}\nfor n in $(seq 60); do {caught_up} && break; sleep 1; done\n", tmp_path, port)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(upstream.values) == 119
        assert {request.path for request in upstream.requests} == {"/api/v1/a-token-of-the-device/telemetry"}
    assert '"state": "behind"' in done.stdout
    assert "a-token-of-the-device" not in done.stdout + done.stderr
