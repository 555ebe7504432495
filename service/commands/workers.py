"""`fluxgate worker` and `fluxgate scheduler`: the processes that run and schedule jobs behind a broker."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console

from service.api.deps import Parts
from service.app import configure_logs
from service.commands.near_names import warn_of_near_names
from service.domain.roles import Role
from service.settings import load_settings
from service.wiring import assemble


def worker(
    slots: Annotated[int | None, typer.Option(help="Most jobs at one time. Default: JOB_SLOTS.", min=1)] = None,
) -> None:
    """Run jobs that the broker sends. On SIGTERM, jobs keep their checkpoints and return to the queue."""
    with _parts() as parts:
        process = parts.runtime.worker(slots)
        _say("Working. Ctrl-C or SIGTERM ends it.")
        with parts.runtime.alive(Role.WORKER):
            process.run()


def scheduler() -> None:
    """Submit scheduled jobs to the workers. Without a broker, run them in this process."""
    stop_requested = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop_requested.set())
    with _parts() as parts:
        parts.runtime.start(Role.SCHEDULER)
        _say("Scheduling. Ctrl-C or SIGTERM ends it.")
        stop_requested.wait()


@contextlib.contextmanager
def _parts() -> Iterator[Parts]:
    settings = load_settings()
    warn_of_near_names()
    configure_logs(settings)
    parts = assemble(settings)
    try:
        yield parts
    finally:
        parts.close()


def _say(sentence: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, markup=False)
