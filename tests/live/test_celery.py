"""Jobs over a real Redis and real Celery workers.

A worker that dies in the middle loses nothing, and no message is needed twice.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.job import JobState
from service.errors import ConfigurationError, RetryLater
from service.runner.celery import Dispatcher, broker, refuse_embedded
from service.runner.runtime import JobRuntime
from tests.support.jobs import KINDS, database, ended, job_store, numbers, process, queue
from tests.support.servers import Server, free_port, start_redis
from tests.support.waiting import until

pytestmark = pytest.mark.live
LEASE_S = 2.0


@pytest.fixture
def redis() -> Iterator[Server]:
    started = start_redis()
    yield started
    started.stop()


def address(redis: Server) -> str:
    return f"redis://127.0.0.1:{redis.port}/0"


@pytest.fixture
def dispatcher(redis: Server, state_url: str) -> Iterator[Dispatcher]:
    """Sends, and ends leases, as the scheduler does."""
    store = job_store(state_url)
    running = Dispatcher(store, broker(address(redis), LEASE_S), poll_s=0.1, resend_s=5)
    running.start()
    yield running
    running.stop()


def test_two_workers_run_each_job_once(redis: Server, state_url: str, dispatcher: Dispatcher, tmp_path: Path) -> None:
    made = queue(state_url)
    for number in range(20):
        made.submit("count", {"n": 2, "file": str(tmp_path / f"{number}"), "pause_s": 0.02}, "test")
    with (
        process(state_url, role="celery", lease_s=LEASE_S, BROKER=address(redis)),
        process(state_url, role="celery", lease_s=LEASE_S, BROKER=address(redis)),
    ):
        until(lambda: all(job.state is JobState.SUCCEEDED for job in made.job_store.list(["count"])), 40)
        owners = {line.split()[1] for number in range(20) for line in (tmp_path / f"{number}").read_text().splitlines()}
    assert [numbers(tmp_path / f"{number}") for number in range(20)] == [[0, 1]] * 20
    assert len(owners) == 2


def test_a_worker_killed_in_the_middle_loses_nothing(
    redis: Server, state_url: str, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    made = queue(state_url)
    job_id = made.submit("count", {"n": 30, "file": str(tmp_path / "out"), "pause_s": 0.1}, "test")[0].id
    with process(state_url, role="celery", lease_s=LEASE_S, BROKER=address(redis)) as first:
        until(lambda: len(numbers(tmp_path / "out")) > 3, 30)
        with process(state_url, role="celery", lease_s=LEASE_S, BROKER=address(redis)):
            first.kill()
            first.wait(5)
            until(lambda: made.job_store.reap() or made.job_store.show(job_id).state.ended, 10)
            job = ended(made.job_store, job_id)
    assert (job.state, job.fence) == (JobState.SUCCEEDED, 2)
    assert sorted(set(numbers(tmp_path / "out"))) == list(range(30))
    assert len(numbers(tmp_path / "out")) <= 31


def test_a_worker_asked_to_end_puts_its_job_back_at_once(
    redis: Server, state_url: str, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    made = queue(state_url)
    job_id = made.submit("count", {"n": 10_000, "file": str(tmp_path / "out"), "pause_s": 0.05}, "test")[0].id
    with process(state_url, role="celery", lease_s=30, BROKER=address(redis)) as worker:
        until(lambda: len(numbers(tmp_path / "out")) > 3, 30)
        worker.send_signal(signal.SIGTERM)
        until(lambda: made.job_store.show(job_id).state is JobState.QUEUED, 3)
        worker.wait(10)
    assert made.job_store.show(job_id).checkpoint == {"done": len(numbers(tmp_path / "out"))}


def test_a_crew_with_a_broker_leaves_the_work_to_workers(redis: Server, state_url: str, tmp_path: Path) -> None:
    runtime = JobRuntime(
        database(state_url), KINDS, dict, time.time, store="influx", broker_url=address(redis), lease_s=LEASE_S
    )
    runtime.start()
    job, _ = runtime.queue.submit("count", {"n": 3, "file": str(tmp_path / "out")}, "test")
    with process(state_url, role="celery", BROKER=address(redis)) as worker:
        assert ended(runtime.queue.job_store, job.id).state is JobState.SUCCEEDED
        assert {line.split()[1] for line in (tmp_path / "out").read_text().splitlines()} == {str(worker.pid)}
    runtime.stop()


def test_a_message_that_got_lost_is_sent_again(redis: Server, state_url: str, tmp_path: Path) -> None:
    made = queue(state_url)
    job_id = made.submit("count", {"n": 1, "file": str(tmp_path / "out")}, "test")[0].id
    sender = Dispatcher(made.job_store, broker(address(redis), LEASE_S), resend_s=1)
    assert made.job_store.to_send(60, 10) == [job_id], "marked as sent, and never sent"
    assert sender.send_due() == 0
    time.sleep(1.1)
    assert sender.send_due() == 1
    with process(state_url, role="celery", BROKER=address(redis)):
        assert ended(made.job_store, job_id).state is JobState.SUCCEEDED


def test_a_job_delivered_twice_runs_once(redis: Server, state_url: str, tmp_path: Path) -> None:
    made = queue(state_url)
    job_id = made.submit("count", {"n": 5, "file": str(tmp_path / "out"), "pause_s": 0.1}, "test")[0].id
    app = broker(address(redis), LEASE_S)
    for _ in range(4):
        app.send_task("fluxgate.run", (job_id,))
    with process(state_url, role="celery", slots=4, BROKER=address(redis)):
        ended(made.job_store, job_id)
    assert numbers(tmp_path / "out") == [0, 1, 2, 3, 4]


def test_what_could_not_be_sent_waits_for_the_broker(state_url: str, tmp_path: Path) -> None:
    made = queue(state_url)
    job_id = made.submit("count", {"n": 1, "file": str(tmp_path / "out")}, "test")[0].id
    with pytest.raises(RetryLater, match="broker cannot be reached"):
        Dispatcher(made.job_store, broker(f"redis://127.0.0.1:{free_port()}/0", LEASE_S)).send_due()
    assert made.job_store.to_send(60, 10) == [job_id]


def test_what_cannot_work_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="CELERY_BROKER_URL is no address"):
        broker("nonsense://x", 30)
    with pytest.raises(ConfigurationError, match="belongs to one process"):
        refuse_embedded("embedded")
    refuse_embedded("influx")
