"""The gateway as its own process, as an operator starts it, for tests that need a real socket and a real end."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.servers import free_port

KEY = "a-key-for-tests-0123456789"
ROOT = Path(__file__).parents[2]
IMPORTS = os.pathsep.join((str(ROOT), str(ROOT / "client")))
"""Where a process finds the packages of this tree, as PYTHONPATH."""
MODULE = (sys.executable, "-m", "service")
START_WITHIN_S = 40.0
STOP_WITHIN_S = 20.0


@dataclass(frozen=True)
class Gateway:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def http(self, timeout_s: float = 30.0) -> httpx.Client:
        """A client with the key, that takes no packed answers."""
        headers = {"X-API-Key": KEY, "Accept-Encoding": "identity"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)


def environment(settings: Mapping[str, str], folder: Path) -> dict[str, str]:
    """An environment with these settings and no other."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": IMPORTS, "API_KEY": KEY, "DATA_DIR": str(folder), **settings}


@contextmanager
def running_gateway(
    folder: Path, settings: Mapping[str, str], program: Sequence[str] = MODULE, port: int | None = None
) -> Iterator[Gateway]:
    """A gateway on `port`, else a free one, whose process is alive; its store need not be."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    url, log = f"http://127.0.0.1:{port}", folder / "gateway.log"
    command = [*program, "serve", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command,
            env=environment(settings, folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
        )
    try:
        _await_life(url, process, log)
        yield Gateway(url, process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_WITHIN_S)


def _await_life(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/live", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the gateway did not come up:\n{log.read_text(errors='replace')[-3000:]}")
