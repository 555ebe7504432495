"""The two blocks of docs/backup.md, run as printed: from nothing to a proven backup, and the bad day."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateways import IMPORTS
from tests.support.servers import InfluxServer, free_port, running_influx

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text()


def block_under(heading: str) -> str:
    """The first shell block behind a heading."""
    found = re.search(rf"## {re.escape(heading)}\n.*?```sh\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, heading
    return found[1]


def on_port(block: str, port: int) -> str:
    """The block, with a gateway on a port of its own that ends with the shell."""
    changes = {
        "fluxgate serve &": f"fluxgate serve --port {port} & trap 'kill $!' EXIT",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{port}",
    }
    for printed, used in changes.items():
        assert printed in block, printed
        block = block.replace(printed, used)
    return block


@pytest.fixture
def own_influx() -> Iterator[InfluxServer]:
    """A server of this test, since the page names its buckets."""
    with running_influx() as server:
        yield server


@pytest.mark.timeout(200)
def test_the_commands_prove_a_backup_and_bring_it_back(own_influx: InfluxServer, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    bucket, port = own_influx.new_bucket("Weather"), free_port()
    now_s = time.time_ns() // 10**9
    lines = "\n".join(f"weather,station=s{n % 3} temp={n}.5,n={n}i {now_s - n * 600}" for n in range(900))
    own_influx.write(bucket, lines, "s")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {
        **kept,
        "PYTHONPATH": IMPORTS,
        "FLUXGATE_URL": f"http://127.0.0.1:{port}",
        "INFLUXDB_URL": own_influx.url,
        "INFLUXDB_TOKEN": own_influx.token,
        "INFLUXDB_ORG": own_influx.org,
        "BACKUP_BUCKETS": bucket,
    }
    first = on_port(block_under("From nothing to a proven nightly backup"), port).replace(
        "backup create", f'backup create --bucket "{bucket}"'
    )
    bad_day = block_under("The bad day")
    done = subprocess.run(
        ["bash", "-eu"],
        input=first + bad_day,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "proven 1,800 values of 1 buckets were restored and are equal" in done.stdout
    assert '"state": "planned"' in done.stdout
    assert '"state": "equal"' in done.stdout
    assert own_influx.token not in done.stdout + done.stderr
