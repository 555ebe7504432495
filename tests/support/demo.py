"""A gateway with the demo's data, as `make run` starts it, for pages whose examples are run as they stand."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.gateways import IMPORTS
from tests.support.servers import free_port

LIVES_WITHIN_S = 60


@contextmanager
def running_demo(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a shell in `folder`.

    It has the command in `.venv/bin`, FLUXGATE_API_KEY and FLUXGATE_URL."""
    (folder / ".venv").symlink_to(Path(sys.prefix))
    url = f"http://127.0.0.1:{(port := free_port())}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    kept["PYTHONPATH"] = IMPORTS
    command = [".venv/bin/fluxgate", "serve", "--host", "127.0.0.1", "--port", str(port), "--demo"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + LIVES_WITHIN_S
        while True:
            try:
                httpx.get(f"{url}/health/live", timeout=2)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline and process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
        key = (folder / "data" / "first-key.txt").read_text().strip()
        yield {**kept, "FLUXGATE_API_KEY": key, "FLUXGATE_URL": url}
    finally:
        process.terminate()
        process.wait(20)
