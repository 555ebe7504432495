"""`fluxgate worker` and `fluxgate scheduler`: the processes that do jobs when there is a broker."""

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
from service.settings import load_settings
from service.wiring import assemble


def worker(slots: Annotated[int | None, typer.Option(help="Jobs at a time; else JOB_SLOTS.", min=1)] = None) -> None:
    """Run jobs that the broker names. SIGTERM: they keep their checkpoints, go back to the queue, and it ends."""
    with _parts() as parts:
        doing = parts.runtime.worker(slots)
        _say("Working. Ctrl-C or SIGTERM ends it.")
        doing.run()


def scheduler() -> None:
    """Fire schedules and send what is due to the workers (without a broker: run it here)."""
    done = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: done.set())
    with _parts() as parts:
        parts.runtime.start()
        _say("Scheduling. Ctrl-C or SIGTERM ends it.")
        done.wait()


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
