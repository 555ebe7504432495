"""One run, in this process: what its end is for every way a kind can end, and that secrets stay out of it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.domain.access import Scope
from service.domain.job import Cancelled, DeadlinePassed, Job, JobState, LeaseLost, Stopping
from service.domain.schedule import Schedule
from service.errors import ConfigurationError, InvalidParameter, StoreBusy, StoreDenied, StoreUnavailable
from service.jobs import JobContext, JobKind, JobQueue, Kinds
from service.runner.context import RunContext
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.runner.runtime import JobRuntime
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from tests.support.jobs import ended
from tests.support.waiting import until


class Doing:
    """Does what the test gives it."""

    def __init__(self, act: Callable[[JobContext], dict[str, Any]]) -> None:
        self._act = act

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return None

    def validate(self, parameters: Mapping[str, Any]) -> None:
        if parameters.get("wrong"):
            raise InvalidParameter("wrong", "wrong is not allowed.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        return self._act(context)


def kinds_of(runnable: Doing) -> Kinds:
    return Kinds([JobKind("do", Scope.ADMIN, runnable, max_attempts=2)])


@dataclass
class Bench:
    database: StateDatabase
    now: float = 1_000_000.0

    def __post_init__(self) -> None:
        self.job_store = JobStore(self.database, lambda: self.now)
        self.lease_store = LeaseStore(self.database, lambda: self.now)
        self.stopping = threading.Event()

    def run(self, act: Callable[[JobContext], dict[str, Any]], **more: Any) -> Job:
        """Order a job that does `act`, run it once, and give its row."""
        kinds = kinds_of(Doing(act))
        job, _ = self.job_store.enqueue("do", {}, None, max_attempts=2, **more)
        claimed = self.job_store.claim("one", 30, ["do"])
        assert claimed is not None
        Runner(self.lease_store, kinds, lambda: self.now, lease_s=30, chance=lambda: 0.0).run(*claimed, self.stopping)
        return self.job_store.show(job.id)

    def context(self, deadline: float | None = None) -> RunContext:
        self.job_store.enqueue("do", {}, None, deadline=deadline)
        claimed = self.job_store.claim("one", 30, ["do"])
        assert claimed is not None
        return RunContext(*claimed, self.lease_store, lambda: self.now, self.stopping)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    database = StateDatabase.in_directory(tmp_path)
    database.migrate()
    yield Bench(database)
    database.close()


def raising(error: BaseException) -> Callable[[JobContext], dict[str, Any]]:
    def act(context: JobContext) -> dict[str, Any]:
        raise error

    return act


def test_a_success_keeps_its_result_and_its_last_progress(bench: Bench) -> None:
    def act(context: JobContext) -> dict[str, Any]:
        for done in (1, 2, 3):
            context.progress(done, 3, "slices")
        return {"points": 7}

    job = bench.run(act)
    assert (job.state, job.result, job.lease_owner, job.finished_at) == (
        JobState.SUCCEEDED,
        {"points": 7},
        None,
        bench.now,
    )
    assert job.progress is not None
    assert (job.progress.done, job.progress.total) == (3, 3)


@pytest.mark.parametrize(
    ("error", "state", "code", "after_s"),
    [
        (StoreUnavailable("The target is away. Start it."), JobState.QUEUED, "store_unavailable", 1.0),
        (StoreBusy("The target asks for patience.", 61.5), JobState.QUEUED, "store_busy", 61.5),
        (StoreDenied("The target refuses the token."), JobState.FAILED, "store_denied", None),
        (InvalidParameter("x", "x is wrong."), JobState.FAILED, "invalid_parameter", None),
        (KeyError("hunter2secret"), JobState.FAILED, "internal", None),
    ],
)
def test_an_error_is_kept_and_decides_whether_it_is_tried_again(
    bench: Bench, error: Exception, state: JobState, code: str, after_s: float | None
) -> None:
    job = bench.run(raising(error))
    assert (job.state, (job.error or {})["code"]) == (state, code)
    assert "hunter2secret" not in str(job.error)
    if after_s is not None:
        assert job.run_after - bench.now == pytest.approx(after_s)
    assert str((job.error or {})["message"]) in bench.job_store.lines(job.id)[-1].message


def test_the_last_attempt_fails_and_a_checkpoint_starts_the_count_anew(bench: Bench) -> None:
    def further(context: JobContext) -> dict[str, Any]:
        context.save({"done": context.checkpoint.get("done", 0) + 1})
        raise StoreUnavailable("Away.")

    states = []
    job = bench.run(further)
    for _ in range(4):
        bench.now += 1_000
        claimed = bench.job_store.claim("one", 30, ["do"])
        assert claimed is not None
        Runner(bench.lease_store, kinds_of(Doing(further)), lambda: bench.now).run(*claimed, bench.stopping)
        states.append(bench.job_store.show(job.id).state)
    assert set(states) == {JobState.QUEUED}
    bench.now += 1_000
    claimed = bench.job_store.claim("one", 30, ["do"])
    assert claimed is not None
    Runner(bench.lease_store, kinds_of(Doing(raising(StoreUnavailable("Away.")))), lambda: bench.now).run(
        *claimed, bench.stopping
    )
    assert bench.job_store.show(job.id).state is JobState.FAILED
    assert bench.job_store.show(job.id).checkpoint == {"done": 5}


def test_a_process_that_stops_puts_its_job_back(bench: Bench) -> None:
    def act(context: JobContext) -> dict[str, Any]:
        context.save({"done": 1})
        bench.stopping.set()
        context.sleep(60)
        return {}

    job = bench.run(act)
    assert (job.state, job.checkpoint, job.error) == (JobState.QUEUED, {"done": 1}, None)


def test_a_deadline_fails_the_job(bench: Bench) -> None:
    def act(context: JobContext) -> dict[str, Any]:
        bench.now += 10
        context.check()
        return {}

    assert (bench.run(act, deadline=bench.now + 10).error or {})["code"] == "deadline"


def test_a_lost_lease_is_written_nowhere(bench: Bench) -> None:
    def act(context: JobContext) -> dict[str, Any]:
        bench.now += 31
        bench.job_store.reap()
        context.save({"by": "a zombie"})
        return {}

    job = bench.run(act)
    assert (job.state, job.checkpoint, job.result) == (JobState.QUEUED, None, None)


def test_the_context_says_why_the_run_ends_and_a_lost_lease_stays_lost(bench: Bench) -> None:
    context = bench.context(deadline=bench.now + 5)
    context.check()
    bench.stopping.set()
    with pytest.raises(Stopping):
        context.check()
    context.save({"done": 1})  # what was done may still be kept
    bench.now += 5
    with pytest.raises(DeadlinePassed):
        context.check()
    context.note_cancelled()
    with pytest.raises(Cancelled):
        context.sleep(1)
    bench.now += 30
    for act in (context.check, lambda: context.save({}), lambda: context.log("info", "x"), lambda: context.sleep(0)):
        with pytest.raises(LeaseLost):
            act()
    bench.now -= 30
    with pytest.raises(LeaseLost):
        context.check()


def test_progress_is_written_once_a_second(bench: Bench) -> None:
    context = bench.context()
    before = bench.job_store.show(context.job_id).version
    for done in range(100):
        context.progress(done, 100, "slices")
    assert bench.job_store.show(context.job_id).version == before + 1
    bench.now += 1
    context.progress(100, 100, "slices")
    progress = bench.job_store.show(context.job_id).progress
    assert progress is not None
    assert (progress.done, progress.base) == (100, 0)


def test_a_job_begins_as_soon_as_it_is_ordered_and_as_many_as_there_are_slots(bench: Bench) -> None:
    running, most, lock = [], [0], threading.Lock()

    def act(context: JobContext) -> dict[str, Any]:
        with lock:
            running.append(context.job_id)
            most[0] = max(most[0], len(running))
        time.sleep(0.05)
        running.remove(context.job_id)
        return {}

    kinds, job_store = kinds_of(Doing(act)), JobStore(bench.database, time.time)
    pool = LocalRunner(job_store, Runner(LeaseStore(bench.database, time.time), kinds, time.time), slots=2, poll_s=60)
    queue = JobQueue(job_store, kinds, time.time, pool.wake)
    pool.start()
    jobs = [queue.submit("do", {"number": number}, "test")[0] for number in range(6)]
    assert {ended(job_store, job.id, 10).state for job in jobs} == {JobState.SUCCEEDED}
    assert most[0] == 2
    assert pool.stop()
    with pytest.raises(InvalidParameter, match=r"no kind of job 'nothing'\. There are: do"):
        queue.submit("nothing", {}, "test")
    with pytest.raises(InvalidParameter):
        queue.submit("do", {"wrong": True}, "test")


def test_a_job_that_does_not_look_is_left_to_its_lease(bench: Bench) -> None:
    begun, free = threading.Event(), threading.Event()

    def act(context: JobContext) -> dict[str, Any]:
        begun.set()
        free.wait(10)
        return {}

    kinds, job_store = kinds_of(Doing(act)), JobStore(bench.database, time.time)
    pool = LocalRunner(
        job_store, Runner(LeaseStore(bench.database, time.time), kinds, time.time, lease_s=5), poll_s=0.05
    )
    job = JobQueue(job_store, kinds, time.time).submit("do", {}, "test")[0]
    pool.start()
    assert begun.wait(5)
    assert not pool.stop(within_s=0.2)
    assert job_store.show(job.id).state is JobState.RUNNING
    free.set()
    until(lambda: job_store.show(job.id).state.ended, 5)


def test_a_crew_runs_what_is_ordered_and_scheduled_in_its_own_process(bench: Bench) -> None:
    each_second = Schedule("each second", "do", {"scheduled": True}, every="00:00:01")
    runtime = JobRuntime(
        bench.database,
        kinds_of(Doing(lambda context: {})),
        lambda: {each_second.name: each_second},
        time.time,
        store="embedded",
    )
    runtime.start()
    ordered = runtime.queue.submit("do", {}, "test")[0]
    assert ended(runtime.queue.job_store, ordered.id, 5).state is JobState.SUCCEEDED
    until(lambda: any(job.schedule and job.state.ended for job in runtime.queue.job_store.list(["do"])), 8)
    runtime.stop()
    with pytest.raises(ConfigurationError, match="needs CELERY_BROKER_URL"):
        runtime.worker()


def test_a_crew_refuses_a_broker_with_the_embedded_store(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="belongs to one process"):
        JobRuntime(bench.database, Kinds(), dict, time.time, store="embedded", broker_url="redis://127.0.0.1:1/0")
