"""Jobs over a real RabbitMQ, with workers that die in the middle and jobs that outlast RabbitMQ's patience.

RabbitMQ closes the channel of a message that is not acknowledged in time: 30 minutes by default, here 3 seconds.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from service.domain.job import JobState
from service.errors import ConfigurationError
from service.runner.celery import Dispatcher, broker
from tests.support.demanded import or_skip
from tests.support.jobs import ended, job_store, numbers, process, queue
from tests.support.servers import start_rabbitmq
from tests.support.waiting import until

pytestmark = pytest.mark.live
LEASE_S = 2.0
IMPATIENT = "-rabbit consumer_timeout 3000 -rabbit channel_tick_interval 500"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    started = or_skip(lambda: start_rabbitmq(IMPATIENT))
    yield f"amqp://guest:guest@127.0.0.1:{started.port}//"
    started.stop()


@pytest.fixture
def dispatcher(address: str, state_url: str) -> Iterator[Dispatcher]:
    running = Dispatcher(job_store(state_url), broker(address, LEASE_S), poll_s=0.1, resend_s=5)
    running.start()
    yield running
    running.stop()


def test_a_worker_killed_in_the_middle_loses_nothing(
    address: str, state_url: str, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    made = queue(state_url)
    job_id = made.submit("count", {"n": 30, "file": str(tmp_path / "out"), "pause_s": 0.1}, "test")[0].id
    with process(state_url, role="celery", lease_s=LEASE_S, BROKER=address) as first:
        until(lambda: len(numbers(tmp_path / "out")) > 3, 30)
        with process(state_url, role="celery", lease_s=LEASE_S, BROKER=address):
            first.kill()
            first.wait(5)
            until(lambda: made.job_store.reap() or made.job_store.show(job_id).state.ended, 10)
            job = ended(made.job_store, job_id)
    assert (job.state, job.fence) == (JobState.SUCCEEDED, 2)
    assert sorted(set(numbers(tmp_path / "out"))) == list(range(30))


def test_a_job_that_outlasts_the_brokers_patience_runs_once_and_leaves_its_worker_at_work(
    address: str, state_url: str, dispatcher: Dispatcher, redis_url: str, tmp_path: Path
) -> None:
    """The worker used to take no more jobs, and to end: PRECONDITION_FAILED, delivery acknowledgement timed out."""
    made = queue(state_url)
    long = made.submit("count", {"n": 60, "file": str(tmp_path / "long"), "pause_s": 0.1}, "test")[0].id
    with process(state_url, role="celery", lease_s=LEASE_S, BROKER=address, RESULTS=redis_url) as worker:
        job = ended(made.job_store, long, 40)
        assert (job.state, job.fence, numbers(tmp_path / "long")) == (JobState.SUCCEEDED, 1, list(range(60)))
        later = made.submit("count", {"n": 1, "file": str(tmp_path / "later")}, "test")[0].id
        assert ended(made.job_store, later).state is JobState.SUCCEEDED
        assert worker.poll() is None
        store = redis.Redis.from_url(redis_url)
        until(lambda: [key for key in store.keys("celery-task-meta-*") if b'"succeeded"' in (store.get(key) or b"")])
        store.close()


def test_a_place_for_results_that_celery_does_not_know_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="CELERY_RESULT_BACKEND is no place"):
        broker(address, LEASE_S, "nonsense://x")
