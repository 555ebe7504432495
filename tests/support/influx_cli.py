"""The `influx` command line, run against a server for tests."""

import subprocess
from pathlib import Path

from tests.support.demanded import or_skip
from tests.support.servers import InfluxServer, influx_program


def influx_cli() -> Path:
    """The program. The test is skipped without it, or fails where servers are demanded."""
    return or_skip(influx_program)


def run_influx(program: Path, server: InfluxServer, *arguments: str) -> str:
    """What the command prints. It has to succeed."""
    access = ["--host", server.url, "--token", server.token]
    command = [str(program), *arguments[:1], *access, *arguments[1:]]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout
