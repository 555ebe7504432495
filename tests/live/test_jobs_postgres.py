"""The job_store and the schedules on a real PostgreSQL: the tests of SQLite, and processes that compete."""

from pathlib import Path

import pytest

from service.domain.job import JobState
from tests.support.jobs import numbers, process
from tests.support.jobs import queue as job_desk
from tests.support.waiting import until
from tests.unit.state.conftest import *  # noqa: F403
from tests.unit.state.test_job_rows import *  # noqa: F403
from tests.unit.state.test_job_store import *  # noqa: F403
from tests.unit.state.test_schedule_store import *  # noqa: F403

pytestmark = pytest.mark.live


@pytest.fixture
def state_url(fresh_postgres_url: str) -> str:
    return fresh_postgres_url


def test_two_processes_run_each_of_fifty_jobs_once_and_one_of_a_key_at_a_time(
    fresh_postgres_url: str, tmp_path: Path
) -> None:
    made = job_desk(fresh_postgres_url)
    for number in range(50):
        made.submit("count", {"n": 1, "file": str(tmp_path / f"{number}")}, "test")
    for number in range(4):
        made.submit(
            "count",
            {"n": 3, "file": str(tmp_path / "shared"), "pause_s": 0.02, "key": "target", "number": number},
            "test",
        )
    with process(fresh_postgres_url, lease_s=5, slots=4), process(fresh_postgres_url, lease_s=5, slots=4):
        until(lambda: all(job.state is JobState.SUCCEEDED for job in made.job_store.list(["count"], limit=100)), 40)
    assert [numbers(tmp_path / f"{number}") for number in range(50)] == [[0]] * 50
    assert numbers(tmp_path / "shared") == [0, 1, 2] * 4


def test_two_schedulers_fire_each_tick_once(fresh_postgres_url: str) -> None:
    made = job_desk(fresh_postgres_url)
    with (
        process(fresh_postgres_url, role="schedules"),
        process(fresh_postgres_url, role="schedules"),
        process(fresh_postgres_url, lease_s=5),
    ):
        until(lambda: len(made.job_store.list(["count"])) >= 3, 20)
    fired = made.job_store.list(["count"])
    assert len({int(job.created_at) for job in fired}) == len(fired)
