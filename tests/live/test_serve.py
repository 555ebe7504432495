"""`fluxgate serve` as a process.

What it prints works at once. What cannot work is said once, before anything listens.
"""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.gateways import KEY, environment
from tests.support.servers import free_port

WITHIN_S = 40.0
INFLUX_AWAY = {"INFLUXDB_URL": "http://127.0.0.1:1", "INFLUXDB_TOKEN": "t", "INFLUXDB_ORG": "o"}


@contextmanager
def serving(folder: Path, *options: str, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    command = [sys.executable, "-m", "service", "serve", *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(settings, folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield process, folder / "log"
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)


def printed(process: subprocess.Popen[bytes], log: Path, word: str) -> str:
    """The log as soon as it holds `word`."""
    deadline = time.monotonic() + WITHIN_S
    while word not in (text := log.read_text()):
        assert time.monotonic() < deadline and process.poll() is None, text
        time.sleep(0.05)
    return text


def test_what_is_printed_works_at_once(tmp_path: Path) -> None:
    """The lines used to be printed before anybody listened."""
    with serving(tmp_path, "--port", str(free_port()), API_KEY="") as (process, log):
        text = printed(process, log, "/telemetry/latest")
        lines = re.findall(r"^  (curl .+)$", text, re.MULTILINE)
        assert len(lines) == 2
        assert "Store     embedded in" in text and not re.search(r"fg_[0-9a-f]+_", text), "the key is for a terminal"
        for line in lines:
            done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, timeout=30)
            assert done.returncode == 0, (line, done.stderr)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_a_port_that_is_taken_exits_with_1_and_promises_nothing(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with serving(tmp_path, "--port", str(holder.getsockname()[1])) as (process, log):
            assert process.wait(WITHIN_S) == 1
        assert "address already in use" in log.read_text()
        assert "Pages" not in log.read_text()


@pytest.mark.parametrize(
    ("wrong", "said"), [({"API_KEY": "short"}, "at least 16"), ({"REDIS_URL": "nonsense"}, "REDIS_URL")]
)
def test_settings_that_cannot_work_end_the_start_and_not_every_worker(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    """Each worker used to fail with a traceback, and to be started again, for ever."""
    with serving(tmp_path, "--port", str(free_port()), "--workers", "2", **{**INFLUX_AWAY, **wrong}) as (process, log):
        assert process.wait(WITHIN_S) == 1
    assert said in log.read_text()
    assert not any(word in log.read_text() for word in ("Pages", "Traceback", "Started"))


def test_two_workers_answer_and_stop_when_told(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, "--port", str(port), "--workers", "2", **INFLUX_AWAY) as (process, log):
        assert "$FLUXGATE_API_KEY" in printed(process, log, "/telemetry/latest")
        deadline = time.monotonic() + WITHIN_S
        while log.read_text().count("Application startup complete") < 2:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        answer = httpx.get(f"http://127.0.0.1:{port}/buckets", headers={"X-API-Key": KEY}, timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        process.terminate()
        process.wait(20)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=2)


def test_a_misspelt_setting_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "keys", "list", "--json"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment({"FLUXGATE_MAX_READ": "3"}, tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert done.stderr == "FLUXGATE_MAX_READ is no setting of Fluxgate and has no effect. Did you mean MAX_READS?\n"
