"""What a job's row says after each change, and which rows a list, a log and a sender get."""

from collections.abc import Sequence

import pytest

from service.domain.job import JobState, Progress
from service.state import leases
from service.state.jobs import KEPT_ENDED, enqueue_on
from tests.support.job_desk import KINDS, LEASE_S, Desk


def test_each_change_of_a_job_is_its_next_version(queue: Desk) -> None:
    job = queue.order(max_attempts=5)
    versions = [job.version]

    def changed(_: object = None) -> None:
        versions.append(queue.job_store.show(job.id).version)

    _, lease = queue.claim()
    changed()
    changed(queue.lease_store.save(lease, {"done": 1}))
    changed(queue.job_store.take_over(job.id, "me"))
    _, lease = queue.claim()
    changed()
    changed(queue.job_store.cancel(job.id, "me"))
    changed(queue.lease_store.finish(lease, JobState.CANCELLED))
    changed(queue.job_store.retry(job.id, "me"))
    queue.claim()
    queue.now += LEASE_S + 1
    queue.job_store.reap()
    changed()
    changed(queue.job_store.cancel(job.id, "me"))
    assert versions == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]


def test_jobs_are_listed_by_creator_kind_state_and_age(queue: Desk) -> None:
    first, second = queue.order("1", created_by="key a"), queue.order("2", created_by="key b")
    third, other = queue.order("3", created_by="key a"), queue.order("4")
    queue.now += 1
    backup = queue.job_store.enqueue("backup", {}, None, created_by="key a")[0]
    queue.job_store.cancel(first.id, "me")

    def listed(*arguments: object, kinds: Sequence[str] = KINDS, **filters: object) -> list[str]:
        return [job.id for job in queue.job_store.list(kinds, *arguments, **filters)]  # type: ignore[arg-type]

    assert listed() == [other.id, third.id, second.id, first.id]
    assert listed(created_by="key a") == [third.id, first.id]
    assert listed(created_by="key b") == [second.id]
    assert listed(created_by="nobody") == []
    assert listed(kinds=["mirror", "backup"], created_by="key a") == [backup.id, third.id, first.id]
    assert listed([JobState.CANCELLED]) == [first.id]
    assert listed([JobState.QUEUED], created_by="key a") == [third.id]
    assert listed(limit=2) == [other.id, third.id]
    assert listed(before=third.id) == [second.id, first.id]
    assert queue.job_store.counts() == {
        ("mirror", JobState.QUEUED): 3, ("mirror", JobState.CANCELLED): 1, ("backup", JobState.QUEUED): 1,
    }  # fmt: skip


def test_a_list_has_50_jobs_unless_more_are_asked_for_and_never_more_than_500(queue: Desk) -> None:
    with queue.database.write() as connection:
        for number in range(501):
            enqueue_on(connection, queue.now, "mirror", {"number": number}, None)
    lengths = [len(queue.job_store.list(KINDS, **more)) for more in ({}, {"limit": 51}, {"limit": 10_000})]  # type: ignore[arg-type]
    assert lengths == [50, 51, 500]


def test_a_log_is_read_on_from_a_line(queue: Desk) -> None:
    job, other = queue.order("a"), queue.order("b")
    with queue.database.write() as connection:
        for number in range(501):
            leases.add_line(connection, job.id, queue.now, "info", f"line {number}")
        leases.add_line(connection, other.id, queue.now, "warning", "of another job")
    lines = queue.job_store.lines(job.id)
    assert [len(lines), lines[0].message, lines[-1].message] == [500, "line 0", "line 499"]
    assert [line.message for line in queue.job_store.lines(job.id, after=lines[-1].number)] == ["line 500"]
    assert [line.message for line in queue.job_store.lines(job.id, after=lines[7].number, limit=2)] == [
        "line 8", "line 9",
    ]  # fmt: skip
    assert [line.message for line in queue.job_store.newest_lines(job.id, 2)] == ["line 499", "line 500"]
    [line] = queue.job_store.lines(other.id)
    assert (line.at, line.level, line.message) == (queue.now, "warning", "of another job")


@pytest.mark.parametrize("length", [1_999, 2_000, 2_001])
def test_a_line_of_2000_letters_stays_whole_and_a_longer_one_is_cut(queue: Desk, length: int) -> None:
    job = queue.order()
    queue.lease_store.log(queue.claim()[1], "info", "x" * length)
    assert queue.log(job) == ["x" * length if length <= 2_000 else "x" * 1_999 + "…"]


def test_a_job_begins_once_and_ends_without_a_lease(queue: Desk) -> None:
    job = queue.order()
    begun_at = queue.now
    _, lease = queue.claim()
    queue.now += 5
    queue.lease_store.put_back(lease, run_after=queue.now, error={"code": "x", "message": "y"}, reason="away")
    again, lease = queue.claim()
    assert (again.started_at, again.error, again.attempts, again.fence) == (begun_at, None, 2, 2)
    assert (lease.until, again.lease_until) == (queue.now + LEASE_S, queue.now + LEASE_S)
    queue.now += 3
    queue.lease_store.finish(lease, JobState.SUCCEEDED, result={"points": 1})
    ended = queue.job_store.show(job.id)
    assert (ended.started_at, ended.finished_at, ended.result) == (begun_at, queue.now, {"points": 1})
    assert (ended.lease_owner, ended.lease_until, ended.cancel_requested) == (None, None, False)


def test_attempts_are_counted_from_the_last_checkpoint(queue: Desk) -> None:
    """A job that gets further each time may begin as often as it must."""
    job = queue.order()
    for _ in range(3):
        _, lease = queue.claim()
        queue.lease_store.put_back(lease, run_after=queue.now, error=None, reason="away")
    again, lease = queue.claim()
    assert again.attempts == 4
    queue.lease_store.progress(lease, Progress(1, 2, "slices"))
    queue.lease_store.renew(lease, LEASE_S)
    assert queue.job_store.show(job.id).attempts == 4
    queue.lease_store.save(lease, {"done": 1})
    assert (queue.job_store.show(job.id).attempts, queue.job_store.show(job.id).checkpoint) == (1, {"done": 1})
    queue.lease_store.put_back(lease, run_after=queue.now, error=None, reason="away")
    assert queue.claim()[0].attempts == 2


def test_a_lease_lasts_to_its_last_moment(queue: Desk) -> None:
    queue.order()
    queue.claim()
    queue.now += LEASE_S
    assert queue.job_store.reap() == []


def test_a_job_that_is_taken_over_begins_anew_and_may_be_sent_at_once(queue: Desk) -> None:
    job = queue.order(max_attempts=1)
    queue.job_store.to_send(60, 10)
    queue.claim()
    taken = queue.job_store.take_over(job.id, "me")
    assert (taken.state, taken.attempts, taken.lease_owner, taken.lease_until) == (JobState.QUEUED, 0, None, None)
    assert queue.job_store.to_send(60, 10) == [job.id]


def test_a_job_is_sent_from_the_moment_it_is_due_and_again_after_the_pause(queue: Desk) -> None:
    jobs_in_order = [queue.order(f"{number}", run_after=queue.now + 10) for number in range(3)]
    queue.now = jobs_in_order[-1].run_after
    assert queue.job_store.to_send(60, 2) == [job.id for job in jobs_in_order[:2]]
    assert queue.job_store.to_send(60, 2) == [jobs_in_order[2].id]
    queue.now += 60
    assert queue.job_store.to_send(60, 2) == []
    queue.now += 0.5
    assert queue.job_store.to_send(60, 2) == [job.id for job in jobs_in_order[:2]]


def test_who_cancels_a_queued_job_stands_in_its_log_with_the_time(queue: Desk) -> None:
    job = queue.order()
    queue.now += 4
    ended = queue.job_store.cancel(job.id, "me")
    assert (ended.finished_at, ended.cancel_requested, queue.log(job)) == (queue.now, True, ["cancelled by me"])
    assert queue.job_store.cancel(job.id, "you") == ended
    again = queue.job_store.retry(job.id, "me")
    assert (again.cancel_requested, again.run_after) == (False, queue.now)


def test_one_job_may_be_claimed_by_its_id(queue: Desk) -> None:
    queue.order("first")
    wanted = queue.order("second")
    claimed = queue.job_store.claim("one", LEASE_S, KINDS, wanted.id)
    assert claimed is not None and claimed[0].id == wanted.id
    assert queue.job_store.claim("one", LEASE_S, KINDS, wanted.id) is None


def test_levels_in_a_log_say_what_is_wrong(queue: Desk) -> None:
    job = queue.order()
    for error in (None, {"code": "c", "message": "m"}):
        queue.lease_store.put_back(queue.claim()[1], run_after=queue.now, error=error, reason="r")
    queue.claim()
    queue.now += LEASE_S + 1
    queue.job_store.reap()
    queue.lease_store.finish(queue.claim()[1], JobState.FAILED, error={"code": "c", "message": "m"})
    assert [line.level for line in queue.job_store.lines(job.id)] == ["info", "warning", "warning", "error"]


def test_a_deadline_is_over_at_its_moment(queue: Desk) -> None:
    deadline = queue.now + 10
    job = queue.order(deadline=deadline)
    queue.now = deadline - 0.001
    assert queue.job_store.reap() == []
    queue.now = deadline
    assert queue.job_store.reap() == [job.id]
    ended = queue.job_store.show(job.id)
    assert (ended.state, ended.finished_at) == (JobState.FAILED, deadline)


def test_the_newest_5000_ended_jobs_are_kept() -> None:
    """As docs/jobs.md says."""
    assert KEPT_ENDED == 5_000
