"""The README's examples, run as they stand: each shell block and the Python one, against a gateway with the demo data."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SECTION = README[README.index("## Ten things to do") : README.index("## In front of your InfluxDB")]
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", SECTION, re.DOTALL)
LIVES_WITHIN_S = 60


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder as `make run` leaves it, with the gateway of the demo running; and the environment of the shell."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [".venv/bin/fluxgate", "serve", "--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--demo"]
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
        yield folder, {**kept, "KEY": key, "URL": url, "FLUXGATE_URL": url}
    finally:
        process.terminate()
        process.wait(20)


def test_there_are_ten_examples() -> None:
    assert len([block for kind, block in BLOCKS if not block.startswith("export")]) >= 10


@pytest.mark.parametrize(("kind", "text"), [block for block in BLOCKS if not block[1].startswith("export")])
def test_an_example_works_as_printed(demo: tuple[Path, dict[str, str]], kind: str, text: str) -> None:
    folder, environment = demo
    command = ["sh", "-eu"] if kind == "sh" else [str(folder / ".venv" / "bin" / "python"), "-"]
    done = subprocess.run(command, input=text, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    written = re.search(r"-o (\S+)", text)
    answer = (folder / written[1]).read_bytes() if written else done.stdout.encode()
    assert len(answer) > 60, answer
