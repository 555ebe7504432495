"""Jobs in real processes that are killed, frozen and stopped: nothing is lost, and nobody writes after its lease."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from service.domain.job import JobState
from service.jobs import JobQueue
from tests.support.jobs import BUG, POINT, ended, numbers, process, queue
from tests.support.waiting import until


def ordered(state_url: str, file: Path, n: int, **more: object) -> tuple[JobQueue, str]:
    made = queue(state_url)
    return made, made.submit("count", {"n": n, "file": str(file), **more}, "test")[0].id


@pytest.mark.parametrize("point", ["after_write:2", "after_save:2"])
def test_a_process_killed_at_a_named_point_loses_nothing(state_url: str, tmp_path: Path, point: str) -> None:
    made, job_id = ordered(state_url, tmp_path / "out", 5)
    with process(state_url, **{POINT: point}) as first:
        assert first.wait(20) == -signal.SIGKILL
    assert made.job_store.show(job_id).state is JobState.RUNNING
    with process(state_url, **{POINT: point}):
        job = ended(made.job_store, job_id)
    assert (job.state, job.result, job.fence) == (JobState.SUCCEEDED, {"counted": 5}, 2)
    assert numbers(tmp_path / "out") == ([0, 1, 2, 2, 3, 4] if point == "after_write:2" else [0, 1, 2, 3, 4])
    lines = [line.message for line in made.job_store.lines(job_id)]
    assert any("did not renew its lease: queued" in line for line in lines)
    assert lines[-1] == "succeeded"


def test_processes_killed_at_random_lose_nothing_and_repeat_one_number_at_most(state_url: str, tmp_path: Path) -> None:
    made, job_id = ordered(state_url, tmp_path / "out", 40, pause_s=0.05)
    chance, kills = random.Random(7), 0
    while not made.job_store.show(job_id).state.ended and kills < 4:
        seen = len(numbers(tmp_path / "out"))
        with process(state_url) as running:
            until(lambda seen=seen: len(numbers(tmp_path / "out")) > seen or made.job_store.show(job_id).state.ended)
            time.sleep(chance.uniform(0.0, 0.3))
            running.kill()
        kills += 1
    with process(state_url):
        job = ended(made.job_store, job_id)
    written = numbers(tmp_path / "out")
    assert job.state is JobState.SUCCEEDED
    assert sorted(set(written)) == list(range(40))
    assert len(written) <= 40 + kills
    assert kills >= 2


def frozen(state_url: str, tmp_path: Path, **environment: str) -> tuple[list[int], list[int]]:
    """All numbers, and those that the first process wrote after it was frozen for longer than its lease."""
    out = tmp_path / "out"
    made, job_id = ordered(state_url, out, 6, pause_s=0.4)
    with process(state_url, **environment) as zombie:
        until(lambda: len(numbers(out)) >= 2)
        time.sleep(0.1)  # it sleeps before the next number
        os.kill(zombie.pid, signal.SIGSTOP)
        before = len(numbers(out))
        with process(state_url):
            until(lambda: made.job_store.show(job_id).fence == 2)
            os.kill(zombie.pid, signal.SIGCONT)
            assert ended(made.job_store, job_id).state is JobState.SUCCEEDED
            time.sleep(0.5)
    lines = [line.split() for line in out.read_text().splitlines()]
    return numbers(out), [int(number) for number, pid in lines[before:] if int(pid) == zombie.pid]


def test_a_process_frozen_for_longer_than_its_lease_writes_nothing_more(state_url: str, tmp_path: Path) -> None:
    assert frozen(state_url, tmp_path) == ([0, 1, 2, 3, 4, 5], [])


def test_that_check_sees_a_process_that_looks_at_no_lease(state_url: str, tmp_path: Path) -> None:
    _, by_zombie = frozen(state_url, tmp_path, **{BUG: "no fence"})
    assert by_zombie != []


def test_two_processes_run_each_of_fifty_jobs_once(state_url: str, tmp_path: Path) -> None:
    made = queue(state_url)
    ids = [made.submit("count", {"n": 1, "file": str(tmp_path / f"{number}")}, "test")[0].id for number in range(50)]
    with process(state_url, lease_s=5), process(state_url, lease_s=5):
        until(lambda: all(job.state.ended for job in made.job_store.list(["count"], limit=100)), 25)
    assert [numbers(tmp_path / f"{number}") for number in range(50)] == [[0]] * 50
    assert {(made.job_store.show(one).state, made.job_store.show(one).fence) for one in ids} == {
        (JobState.SUCCEEDED, 1)
    }


def test_two_jobs_of_one_key_never_run_at_one_time(state_url: str, tmp_path: Path) -> None:
    made = queue(state_url)
    for number in range(4):
        made.submit(
            "count", {"n": 3, "file": str(tmp_path / "out"), "pause_s": 0.02, "key": "target", "number": number}, "test"
        )
    with process(state_url, slots=4), process(state_url, slots=4):
        until(lambda: all(job.state.ended for job in made.job_store.list(["count"])))
    assert numbers(tmp_path / "out") == [0, 1, 2] * 4


def test_a_cancelled_job_ends_long_before_its_work_is_done(state_url: str, tmp_path: Path) -> None:
    made, job_id = ordered(state_url, tmp_path / "out", 10_000, pause_s=0.05)
    with process(state_url, lease_s=30):
        until(lambda: len(numbers(tmp_path / "out")) > 2)
        made.cancel(job_id, "test")
        assert ended(made.job_store, job_id, within_s=20).state is JobState.CANCELLED
    assert len(numbers(tmp_path / "out")) < 1_000


def test_a_process_asked_to_end_leaves_its_job_in_the_queue_with_its_checkpoint(state_url: str, tmp_path: Path) -> None:
    made, job_id = ordered(state_url, tmp_path / "out", 10_000, pause_s=0.05)
    with process(state_url, lease_s=30) as running:
        until(lambda: len(numbers(tmp_path / "out")) > 2)
        running.send_signal(signal.SIGTERM)
        assert running.wait(5) == 0
    job = made.job_store.show(job_id)
    assert (job.state, job.lease_owner, job.checkpoint) == (
        JobState.QUEUED,
        None,
        {"done": len(numbers(tmp_path / "out"))},
    )
    assert "goes on from its checkpoint" in made.job_store.lines(job_id)[-1].message


def test_two_schedulers_fire_each_tick_once(state_url: str, tmp_path: Path) -> None:
    made = queue(state_url)
    with process(state_url, role="schedules"), process(state_url, role="schedules"), process(state_url, lease_s=5):
        until(lambda: len(made.job_store.list(["count"])) >= 3, 20)
    fired = made.job_store.list(["count"])
    assert all(job.schedule == "each second" for job in fired)
    assert len({int(job.created_at) for job in fired}) == len(fired)
