"""The commands of docs/mirror.md, run as printed, but for the two addresses and tokens."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.gateways import IMPORTS
from tests.support.servers import InfluxServer, free_port, running_influx

PAGE = (Path(__file__).parents[2] / "docs" / "mirror.md").read_text()
BLOCK = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def commands(source: InfluxServer, target: InfluxServer, port: int) -> str:
    """The block, with a gateway on a port of its own that ends with the shell."""
    assert BLOCK is not None
    text = BLOCK[1]
    changes = {
        "https://eu-central-1-1.aws.cloud2.influxdata.com": source.url,
        "http://127.0.0.1:8086": target.url,
        "my-org": target.org,
        "FLUXGATE_TOKEN_SOURCE=…": f"FLUXGATE_TOKEN_SOURCE={source.token}",
        "FLUXGATE_TOKEN_TARGET=…": f"FLUXGATE_TOKEN_TARGET={target.token}",
        "fluxgate serve &": f"fluxgate serve --port {port} & trap 'kill $!' EXIT",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{port}",
    }
    for printed, own in changes.items():
        assert printed in text, printed
        text = text.replace(printed, own)
    return text


@pytest.mark.timeout(120)
def test_the_commands_make_a_verified_mirror(influx: InfluxServer, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    port = free_port()
    with running_influx() as source:
        source.new_bucket("Weather")
        now_s = time.time_ns() // 10**9
        source.write(
            "Weather",
            "\n".join(f"weather,station=s{n % 3} temp={n}.5,n={n}i {now_s - n * 600}" for n in range(3000)),
            "s",
        )
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = {**kept, "PYTHONPATH": IMPORTS, "FLUXGATE_URL": f"http://127.0.0.1:{port}"}
        script = commands(source, influx, port)
        done = subprocess.run(
            ["bash", "-eu"], input=script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
        )
    assert done.returncode == 0, done.stderr
    assert "Weather -> Weather: 6,000 points in" in done.stdout
    assert "equal" in done.stdout
    assert source.token not in done.stdout + done.stderr
