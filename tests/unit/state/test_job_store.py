"""The job_store of jobs: one claim per job, one running job per key, and nothing written without the lease.

PostgreSQL runs the same tests.
"""

import random
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from service.domain.job import Job, JobState, LeaseLost, Progress
from service.errors import CallerError, NotFound
from service.state import leases
from service.state.leases import KEPT_LINES, Lease, LeaseStore
from service.state.tables import jobs
from tests.support.job_desk import KINDS, LEASE_S, Desk


def test_the_same_order_while_one_waits_is_that_one(queue: Desk) -> None:
    first, new = queue.job_store.enqueue("mirror", {"b": 1, "a": 2}, "k")
    again, newer = queue.job_store.enqueue("mirror", {"a": 2, "b": 1}, "k")
    assert (new, newer, again.id) == (True, False, first.id)
    queue.claim()
    assert queue.job_store.enqueue("mirror", {"a": 3}, "other")[1]
    assert queue.job_store.enqueue("mirror", {"a": 2, "b": 1}, "k")[1], "while it runs another may wait"


def test_the_job_that_is_due_for_longest_comes_first_and_one_that_is_not_due_waits(queue: Desk) -> None:
    later, first = queue.order("later", run_after=queue.now + 60), queue.order("first")
    second = queue.order("second")
    assert [queue.claim()[0].id for _ in range(2)] == [first.id, second.id]
    assert queue.nothing_due()
    queue.now += 60
    assert queue.claim()[0].id == later.id


def test_a_worker_takes_only_kinds_that_it_knows(queue: Desk) -> None:
    queue.order()
    assert queue.job_store.claim("one", LEASE_S, ["backup"]) is None
    assert queue.job_store.claim("one", LEASE_S, []) is None


def test_one_job_of_a_key_runs_at_a_time_and_others_pass_it(queue: Desk) -> None:
    queue.order("a", "target")
    blocked, free = queue.order("b", "target"), queue.order("c", "other")
    _, lease = queue.claim()
    assert queue.claim()[0].id == free.id
    assert queue.nothing_due()
    queue.lease_store.finish(lease, JobState.SUCCEEDED)
    assert queue.claim()[0].id == blocked.id


def test_the_database_itself_refuses_two_running_jobs_of_a_key(queue: Desk) -> None:
    queue.order("a", "target"), queue.order("b", "target")
    with pytest.raises(sa.exc.IntegrityError), queue.database.write() as connection:
        connection.execute(sa.update(jobs).values(state="running"))


def test_a_lease_that_ran_out_is_taken_up_from_its_checkpoint(queue: Desk) -> None:
    job = queue.order()
    _, lease = queue.claim("one")
    queue.lease_store.save(lease, {"done": 7})
    queue.now += LEASE_S - 1
    assert queue.job_store.reap() == []
    queue.now += 2
    assert queue.job_store.reap() == [job.id]
    assert queue.job_store.reap() == []
    again, newer = queue.claim("two")
    assert (again.checkpoint, again.fence, newer.owner, again.lease_owner) == ({"done": 7}, 2, "two", "two")
    assert queue.log(job) == ["one did not renew its lease: queued"]


def test_a_renewed_lease_lasts(queue: Desk) -> None:
    queue.order()
    _, lease = queue.claim()
    for _ in range(5):
        queue.now += LEASE_S / 3
        lease = queue.lease_store.renew(lease, LEASE_S)
    assert queue.job_store.reap() == []
    assert lease.until == queue.now + LEASE_S


WRITES: list[Callable[[LeaseStore, Lease], object]] = [
    lambda lease_store, lease: lease_store.renew(lease, LEASE_S),
    lambda lease_store, lease: lease_store.is_cancelled(lease),
    lambda lease_store, lease: lease_store.save(lease, {"done": "by a zombie"}),
    lambda lease_store, lease: lease_store.progress(lease, Progress(1, 2, "zombies")),
    lambda lease_store, lease: lease_store.log(lease, "info", "by a zombie"),
    lambda lease_store, lease: lease_store.finish(lease, JobState.SUCCEEDED, result={"by": "a zombie"}),
    lambda lease_store, lease: lease_store.put_back(lease, run_after=None, error=None, reason="by a zombie"),
]


def zombie_changes_nothing(queue: Desk, write: Callable[[LeaseStore, Lease], object]) -> bool:
    """Whether a run that lost its job to another is refused, and the row stays as the other left it."""
    job = queue.order()
    _, zombie = queue.claim("zombie")
    queue.now += LEASE_S + 1
    queue.job_store.reap()
    queue.claim("two")
    before, log = queue.job_store.show(job.id), queue.log(job)
    refused = False
    try:
        write(queue.lease_store, zombie)
    except LeaseLost:
        refused = True
    return refused and queue.job_store.show(job.id) == before and queue.log(job) == log


@pytest.mark.parametrize("write", WRITES)
def test_who_lost_its_lease_writes_nothing(queue: Desk, write: Callable[[LeaseStore, Lease], object]) -> None:
    assert zombie_changes_nothing(queue, write)


@pytest.mark.parametrize("write", WRITES)
def test_that_check_sees_a_store_without_fences(
    queue: Desk, write: Callable[[LeaseStore, Lease], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_is_held", lambda lease: (jobs.c.id == lease.job_id,))
    assert not zombie_changes_nothing(queue, write)


def test_a_job_that_was_put_back_is_nobodys(queue: Desk) -> None:
    job = queue.order()
    _, lease = queue.claim()
    queue.lease_store.put_back(
        lease,
        run_after=queue.now + 10,
        error={"code": "store_unavailable", "message": "Away."},
        reason="attempt 1: away",
    )
    with pytest.raises(LeaseLost):
        queue.lease_store.save(lease, {})
    found = queue.job_store.show(job.id)
    assert (found.state, found.attempts, found.error, found.run_after) == (
        JobState.QUEUED, 1, {"code": "store_unavailable", "message": "Away."}, queue.now + 10,
    )  # fmt: skip
    assert queue.nothing_due()


def test_a_stop_of_the_process_counts_as_no_attempt(queue: Desk) -> None:
    job = queue.order()
    _, lease = queue.claim()
    queue.lease_store.put_back(lease, run_after=None, error=None, reason="stops")
    assert (queue.job_store.show(job.id).attempts, queue.claim()[0].attempts) == (0, 1)


def test_a_job_that_kills_its_process_each_time_fails_unless_it_gets_further(queue: Desk) -> None:
    bad, good = queue.order("bad", max_attempts=3), queue.order("good", max_attempts=3)
    for number in range(3):
        for job, lease in (queue.claim(), queue.claim()):
            if job.id == good.id:
                queue.lease_store.save(lease, {"done": number})
        queue.now += LEASE_S + 1
        queue.job_store.reap()
    failed = queue.job_store.show(bad.id)
    assert (failed.state, (failed.error or {})["code"]) == (JobState.FAILED, "worker_lost")
    assert "3 times" in (failed.error or {})["message"]
    assert queue.job_store.show(good.id).state is JobState.QUEUED


def test_a_deadline_that_passes_in_the_queue_ends_the_job(queue: Desk) -> None:
    job = queue.order(deadline=queue.now + 10)
    queue.now += 10
    assert queue.job_store.reap() == [job.id]
    assert (queue.job_store.show(job.id).error or {})["code"] == "deadline"
    assert queue.job_store.retry(job.id, "me").deadline == pytest.approx(queue.now + 10, abs=0.01)


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(queue: Desk) -> None:
    queued = queue.order("q")
    assert queue.job_store.cancel(queued.id, "me").state is JobState.CANCELLED
    running = queue.order("r")
    _, lease = queue.claim()
    assert not queue.lease_store.is_cancelled(lease)
    assert queue.job_store.cancel(running.id, "me").state is JobState.RUNNING
    assert queue.lease_store.is_cancelled(lease)
    queue.lease_store.put_back(lease, run_after=None, error=None, reason="stops")
    assert queue.job_store.show(running.id).state is JobState.CANCELLED, "it does not come back after it was cancelled"
    assert queue.log(running) == ["me asked for its end", "stops"]


def test_a_cancelled_job_whose_process_died_is_cancelled(queue: Desk) -> None:
    job = queue.order()
    queue.claim()
    queue.job_store.cancel(job.id, "me")
    queue.now += LEASE_S + 1
    queue.job_store.reap()
    assert queue.job_store.show(job.id).state is JobState.CANCELLED


def test_an_ended_job_is_queued_again_with_its_checkpoint_and_a_success_is_not(queue: Desk) -> None:
    job = queue.order()
    _, lease = queue.claim()
    queue.lease_store.save(lease, {"done": 5})
    queue.lease_store.finish(lease, JobState.FAILED, error={"code": "store_denied", "message": "Token refused."})
    again = queue.job_store.retry(job.id, "me")
    assert (again.state, again.checkpoint, again.error, again.attempts, again.finished_at) == (
        JobState.QUEUED,
        {"done": 5},
        None,
        0,
        None,
    )
    with pytest.raises(CallerError, match="is queued"):
        queue.job_store.retry(job.id, "me")
    _, lease = queue.claim()
    queue.lease_store.finish(lease, JobState.SUCCEEDED, result={"points": 1})
    with pytest.raises(CallerError, match="is succeeded"):
        queue.job_store.retry(job.id, "me")
    assert queue.log(job) == ["failed: Token refused.", "queued again by me", "succeeded"]


def test_a_lease_taken_over_on_purpose_is_in_the_log(queue: Desk) -> None:
    job = queue.order()
    _, lease = queue.claim("one")
    queue.job_store.take_over(job.id, "operator")
    with pytest.raises(LeaseLost):
        queue.lease_store.save(lease, {})
    assert queue.log(job) == ["lease of one taken over on purpose by operator"]
    assert queue.claim("two")[0].fence == 3
    queue.job_store.cancel(queue.order("b").id, "me")
    with pytest.raises(CallerError, match="only a running job"):
        queue.job_store.take_over(queue.job_store.list(KINDS, [JobState.CANCELLED])[0].id, "operator")


def test_a_log_keeps_its_newest_lines(queue: Desk) -> None:
    job = queue.order()
    _, lease = queue.claim()
    with queue.database.write() as connection:
        for number in range(KEPT_LINES + 50):
            leases.add_line(connection, job.id, queue.now, "info", f"line {number}")
    queue.lease_store.log(lease, "info", "x" * 5_000)
    kept = [line.message for line in queue.job_store.newest_lines(job.id, 10_000)]
    assert (len(kept), kept[0], len(kept[-1])) == (KEPT_LINES, "line 51", 2_000)


def test_a_line_may_hold_anything(queue: Desk) -> None:
    job = queue.order()
    queue.lease_store.log(queue.claim()[1], "info", "a\0b \N{SNOWMAN} 'quoted'")
    assert queue.log(job) == ["a\ufffdb \N{SNOWMAN} 'quoted'"]


def test_the_rate_of_a_job_that_is_taken_up_is_that_of_its_attempt(queue: Desk) -> None:
    job = queue.order()
    queue.lease_store.progress(queue.claim()[1], Progress(70, 100, "slices", base=0, since=queue.now - 7))
    queue.now += LEASE_S + 1
    queue.job_store.reap()
    progress = queue.claim()[0].progress
    assert progress == Progress(70, 100, "slices", base=70, since=queue.now)
    assert queue.job_store.show(job.id).progress == progress


def test_old_ended_jobs_go_and_open_ones_stay(queue: Desk) -> None:
    waiting = queue.order("waiting", run_after=queue.now + 1e6)
    ended = [queue.order(f"{number}") for number in range(5)]
    for job in ended:
        queue.job_store.cancel(job.id, "me")
    assert queue.job_store.prune(keep=2) == 3
    assert {job.id for job in queue.job_store.list(KINDS)} == {waiting.id, ended[3].id, ended[4].id}
    assert queue.log(ended[0]) == []
    with pytest.raises(NotFound, match="GET /jobs"):
        queue.job_store.show(ended[0].id)


def test_old_jobs_are_removed_some_at_a_time_and_together_all_of_them(
    queue: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.state.jobs._REMOVED_AT_ONCE", 2)
    ended = [queue.order(f"{number}") for number in range(5)]
    for job in ended:
        queue.job_store.cancel(job.id, "me")
    assert queue.job_store.prune(keep=0) == 5
    assert queue.job_store.list(KINDS) == []
    assert [queue.log(job) for job in ended] == [[]] * 5


def test_jobs_of_one_kind_do_not_push_out_those_of_another(queue: Desk) -> None:
    """A kind that runs every minute would remove the job of the last backup within days."""
    rare, _ = queue.job_store.enqueue("rare", {}, None)
    queue.job_store.cancel(rare.id, "me")
    queue.now += 1
    for number in range(5):
        queue.job_store.cancel(queue.order(f"{number}").id, "me")
    assert queue.job_store.prune(keep=2) == 3
    assert queue.job_store.show(rare.id).id == rare.id


def test_one_sender_sends_each_due_job_and_again_after_a_while(queue: Desk) -> None:
    first, second = queue.order("a", "target"), queue.order("b")
    queue.order("later", run_after=queue.now + 1_000)
    assert queue.job_store.to_send(60, 10) == [first.id, second.id]
    assert queue.job_store.to_send(60, 10) == []
    queue.job_store.unsend([second.id])
    assert queue.job_store.to_send(60, 10) == [second.id]
    queue.claim()
    queue.order("c", "target")
    queue.now += 61
    assert queue.job_store.to_send(60, 10) == [second.id], "one whose key is taken is not sent"


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_events_gives_a_key_two_holders_or_loses_a_job(queue: Desk, seed: int) -> None:
    chance = random.Random(seed)
    ids = [queue.order(f"{number}", f"key {number % 2}").id for number in range(6)]
    held: list[tuple[Job, Lease]] = []
    for _ in range(120):
        act = chance.choice(["claim", "claim", "time", "reap", "finish", "stop", "renew"])
        if act == "claim" and (claimed := queue.job_store.claim(f"owner {chance.random()}", LEASE_S, KINDS)):
            held.append(claimed)
        elif act == "time":
            queue.now += chance.choice([1, 10, 40])
        elif act == "reap":
            queue.job_store.reap()
        elif held:
            job, lease = held.pop(chance.randrange(len(held)))
            try:
                if act == "finish":
                    queue.lease_store.finish(lease, JobState.SUCCEEDED)
                elif act == "stop":
                    queue.lease_store.put_back(lease, run_after=None, error=None, reason="stops")
                else:
                    held.append((job, queue.lease_store.renew(lease, LEASE_S)))
            except LeaseLost:
                assert (
                    queue.job_store.show(job.id).fence > lease.fence
                    or queue.job_store.show(job.id).state is not JobState.RUNNING
                )
        running = [job.exclusion_key for job in queue.job_store.list(KINDS, [JobState.RUNNING])]
        assert len(running) == len(set(running))
    queue.now += 1_000
    while (queue.job_store.reap() or True) and (claimed := queue.job_store.claim("last", LEASE_S, KINDS)):
        queue.lease_store.finish(claimed[1], JobState.SUCCEEDED)
    assert {queue.job_store.show(one).state for one in ids} == {JobState.SUCCEEDED}
