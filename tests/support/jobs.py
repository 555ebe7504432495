"""A small real job for tests, and processes that run it: they can be killed, frozen and stopped.

The job counts to n and appends each number to a file before its checkpoint, as a mirror writes to a
target. The file is what the tests believe.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.domain.access import Scope
from service.domain.job import Job
from service.domain.schedule import Schedule
from service.errors import InvalidParameter, StoreUnavailable
from service.jobs import JobContext, JobKind, JobQueue, Kinds
from service.runner.celery import CeleryWorker, broker
from service.runner.context import RunContext
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.runner.scheduler import Scheduler, queue_options_by_kind
from service.state import leases
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from service.state.schedules import ScheduleStore
from service.state.tables import jobs
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
POINT = "TEST_POINT"
"""In the environment: `after_write:3` kills the process once, after the write of number 3 and before its checkpoint."""

BUG = "TEST_BUG"
"""In the environment: `no fence` plants it into the process."""


class Counting:
    """Parameters: n, file, pause_s, key; `fails`: at number 1 so often, found unavailable."""

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return parameters.get("key")

    def validate(self, parameters: Mapping[str, Any]) -> None:
        if not isinstance(parameters.get("n"), int):
            raise InvalidParameter("n", f"n={parameters.get('n')!r} is no whole number.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        first, total, file = context.checkpoint.get("done", 0), parameters["n"], Path(parameters["file"])
        if first:
            context.log("info", f"goes on after {first}")
        for number in range(first, total):
            context.sleep(parameters.get("pause_s", 0.0))
            context.check()
            if number == 1 and context.checkpoint.get("failed", 0) < parameters.get("fails", 0):
                context.save({"done": 1, "failed": context.checkpoint.get("failed", 0) + 1})
                raise StoreUnavailable("The target is away. Start it.")
            with file.open("a") as target:
                target.write(f"{number} {os.getpid()}\n")
            reached(f"after_write:{number}", file)
            context.save({**context.checkpoint, "done": number + 1})
            reached(f"after_save:{number}", file)
            context.progress(number + 1, total, "numbers")
        return {"counted": total}


KINDS = Kinds([JobKind("count", Scope.MIRROR, Counting(), max_attempts=3)])


def reached(point: str, beside: Path) -> None:
    """Die here, the first time, when the environment says so."""
    dead = beside.with_suffix(".dead")
    if os.environ.get(POINT) == point and not dead.exists():
        dead.touch()
        os.kill(os.getpid(), signal.SIGKILL)


_opened: list[StateDatabase] = []
"""Kept, so that no connection is collected while it is open."""


def database(url: str) -> StateDatabase:
    made = StateDatabase(url)
    _opened.append(made)
    made.migrate()
    return made


def job_store(url: str) -> JobStore:
    return JobStore(database(url), time.time)


def queue(url: str) -> JobQueue:
    return JobQueue(job_store(url), KINDS, time.time)


def numbers(file: Path) -> list[int]:
    """What was written, in order."""
    return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []


def ended(store: JobStore, job_id: str, within_s: float = 20.0) -> Job:
    until(lambda: store.show(job_id).state.ended, within_s)
    return store.show(job_id)


@contextmanager
def process(
    url: str, *, role: str = "local", lease_s: float = 1.0, slots: int = 2, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end.

    It runs jobs (`local`, or `celery` with BROKER and perhaps RESULTS) or fires schedules (`schedules`)."""
    command = [sys.executable, "-m", "tests.support.jobs", role, url, str(lease_s), str(slots)]
    running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    try:
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGCONT)
            running.kill()
        running.wait(10)


def forget_leases() -> None:
    """The bug that the tests of frozen processes must see: nobody looks at leases and fences."""
    leases._is_held = lambda lease: (jobs.c.id == lease.job_id,)  # type: ignore[assignment]
    RunContext._reason = lambda self: None  # type: ignore[method-assign, assignment, return-value]


def _main(role: str, url: str, lease_s: float, slots: int) -> None:
    if os.environ.get(BUG) == "no fence":
        forget_leases()
    state = database(url)
    jobs, runner = (
        JobStore(state, time.time),
        Runner(LeaseStore(state, time.time), KINDS, time.time, lease_s=lease_s, chance=random.random),
    )
    if role == "celery":
        app = broker(os.environ["BROKER"], lease_s, os.environ.get("RESULTS"))
        CeleryWorker(jobs, runner, app, slots=slots).run()
        return
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    if role == "schedules":
        every = Schedule("each second", "count", {"n": 0, "file": os.devnull}, every="00:00:01")
        part: LocalRunner | Scheduler = Scheduler(
            ScheduleStore(state, lambda: {every.name: every}, queue_options_by_kind(KINDS), time.time),
            jobs,
            time.time,
            poll_s=0.05,
        )
    else:
        part = LocalRunner(jobs, runner, slots=slots, poll_s=0.1)
    part.start()
    done.wait()
    part.stop()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
