"""A fleet on one machine, as an operator starts it: gateways, workers and a scheduler with a state database."""

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.support.gateways import MODULE, STOP_WITHIN_S, Gateway, environment, running_gateway
from tests.support.servers import Server
from tests.support.waiting import until

INFLUX_AWAY = {"INFLUXDB_URL": "http://127.0.0.1:1", "INFLUXDB_TOKEN": "t", "INFLUXDB_ORG": "o"}
_STATEMENT = re.compile(r"LOG: {2}(?:statement|execute [^:]*): (.*)")


@dataclass(frozen=True)
class Fleet:
    """Running processes that share `settings`."""

    settings: Mapping[str, str]
    folder: Path
    gateways: tuple[Gateway, ...]
    workers: tuple[subprocess.Popen[bytes], ...]


def command(
    settings: Mapping[str, str], folder: Path, *arguments: str, within_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """What a command of `fluxgate` with these settings did."""
    return subprocess.run(
        [*MODULE, *arguments],
        cwd=folder,
        env=environment(settings, folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


@contextlib.contextmanager
def background(
    settings: Mapping[str, str], folder: Path, role: str, number: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker or a scheduler, once it says that it is at work."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{role}{number}.log"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [*MODULE, role],
            cwd=folder,
            env=environment(settings, folder),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
        )
    try:
        until(lambda: "ends it." in log.read_text(errors="replace") or process.poll() is not None, 60)
        assert process.poll() is None, log.read_text(errors="replace")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_WITHIN_S)


@contextlib.contextmanager
def running_fleet(folder: Path, settings: Mapping[str, str]) -> Iterator[Fleet]:
    """Two gateways, two workers and a scheduler. At the end all are asked to end, and then waited for."""
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(background(settings, folder / "worker", "worker", i)) for i in (1, 2)]
        scheduler = stack.enter_context(background(settings, folder / "scheduler", "scheduler"))
        gateways = [stack.enter_context(running_gateway(folder / f"gateway{i}", settings)) for i in (1, 2)]
        try:
            yield Fleet(settings, folder, tuple(gateways), tuple(workers))
        finally:
            for process in (*(gateway.process for gateway in gateways), scheduler, *workers):
                process.terminate()


@contextlib.contextmanager
def recorded_statements(postgres: Server) -> Iterator[list[str]]:
    """Every statement that the server was sent inside of the block; the list is filled at its end."""
    statements: list[str] = []
    address = f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres"
    log = postgres.folder / "log"
    with psycopg.connect(address, autocommit=True, connect_timeout=10) as link:

        def set_recording(value: str) -> None:
            link.execute(f"ALTER SYSTEM SET log_statement = '{value}'")
            link.execute("SELECT pg_reload_conf()")
            until(lambda: link.execute("SHOW log_statement").fetchone() == (value,))

        set_recording("all")
        begin = log.stat().st_size
        yield statements
        text = log.read_bytes()[begin:].decode(errors="replace")
        set_recording("none")
    statements += [match[1] for match in _STATEMENT.finditer(text) if "log_statement" not in match[1]]
