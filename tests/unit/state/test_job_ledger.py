"""The ledger of jobs: one claim a job, one running job a key, and nothing written without the lease. PostgreSQL runs the same tests."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.domain.job import Job, JobState, LeaseLost, Progress
from service.errors import CallerError, UnknownThing
from service.state import leases
from service.state.database import StateDatabase
from service.state.jobs import JobLedger
from service.state.leases import KEPT_LINES, Lease, LeaseBook
from service.state.tables import jobs

LEASE_S = 30.0
KINDS = ["mirror"]


@dataclass
class Desk:
    """A ledger and its leases over one database, at a time that the test sets."""

    database: StateDatabase
    now: float = 1_000_000.0
    ledger: JobLedger = field(init=False)
    book: LeaseBook = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = JobLedger(self.database, lambda: self.now)
        self.book = LeaseBook(self.database, lambda: self.now)

    def order(self, name: str = "a", key: str | None = None, **more: object) -> Job:
        self.now += 0.001
        return self.ledger.enqueue("mirror", {"name": name}, key, **more)[0]

    def claim(self, owner: str = "one") -> tuple[Job, Lease]:
        claimed = self.ledger.claim(owner, LEASE_S, KINDS)
        assert claimed is not None
        return claimed

    def nothing_due(self) -> bool:
        return self.ledger.claim("one", LEASE_S, KINDS) is None

    def log(self, job: Job) -> list[str]:
        return [line.message for line in self.ledger.lines(job.id)]


@pytest.fixture
def state_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def desk(state_url: str) -> Iterator[Desk]:
    database = StateDatabase(state_url)
    database.migrate()
    yield Desk(database)
    database.close()


def test_the_same_order_while_one_waits_is_that_one(desk: Desk) -> None:
    first, new = desk.ledger.enqueue("mirror", {"b": 1, "a": 2}, "k")
    again, newer = desk.ledger.enqueue("mirror", {"a": 2, "b": 1}, "k")
    assert (new, newer, again.id) == (True, False, first.id)
    desk.claim()
    assert desk.ledger.enqueue("mirror", {"a": 3}, "other")[1]
    assert desk.ledger.enqueue("mirror", {"a": 2, "b": 1}, "k")[1], "while it runs another may wait"


def test_the_job_that_is_due_for_longest_comes_first_and_one_that_is_not_due_waits(desk: Desk) -> None:
    later, first = desk.order("later", run_after=desk.now + 60), desk.order("first")
    second = desk.order("second")
    assert [desk.claim()[0].id for _ in range(2)] == [first.id, second.id]
    assert desk.nothing_due()
    desk.now += 60
    assert desk.claim()[0].id == later.id


def test_a_worker_takes_only_kinds_that_it_knows(desk: Desk) -> None:
    desk.order()
    assert desk.ledger.claim("one", LEASE_S, ["backup"]) is None
    assert desk.ledger.claim("one", LEASE_S, []) is None


def test_one_job_of_a_key_runs_at_a_time_and_others_pass_it(desk: Desk) -> None:
    desk.order("a", "target")
    blocked, free = desk.order("b", "target"), desk.order("c", "other")
    _, lease = desk.claim()
    assert desk.claim()[0].id == free.id
    assert desk.nothing_due()
    desk.book.finish(lease, JobState.SUCCEEDED)
    assert desk.claim()[0].id == blocked.id


def test_the_database_itself_refuses_two_running_jobs_of_a_key(desk: Desk) -> None:
    desk.order("a", "target"), desk.order("b", "target")
    with pytest.raises(sa.exc.IntegrityError), desk.database.write() as connection:
        connection.execute(sa.update(jobs).values(state="running"))


def test_a_lease_that_ran_out_is_taken_up_from_its_checkpoint(desk: Desk) -> None:
    job = desk.order()
    _, lease = desk.claim("one")
    desk.book.save(lease, {"done": 7})
    desk.now += LEASE_S - 1
    assert desk.ledger.reap() == []
    desk.now += 2
    assert desk.ledger.reap() == [job.id]
    assert desk.ledger.reap() == []
    again, newer = desk.claim("two")
    assert (again.checkpoint, again.fence, newer.owner, again.lease_owner) == ({"done": 7}, 2, "two", "two")
    assert desk.log(job) == ["one was not heard of within its lease: queued"]


def test_a_renewed_lease_lasts(desk: Desk) -> None:
    desk.order()
    _, lease = desk.claim()
    for _ in range(5):
        desk.now += LEASE_S / 3
        lease = desk.book.renew(lease, LEASE_S)
    assert desk.ledger.reap() == []
    assert lease.until == desk.now + LEASE_S


WRITES: list[Callable[[LeaseBook, Lease], object]] = [
    lambda book, lease: book.renew(lease, LEASE_S),
    lambda book, lease: book.is_cancelled(lease),
    lambda book, lease: book.save(lease, {"done": "by a zombie"}),
    lambda book, lease: book.progress(lease, Progress(1, 2, "zombies")),
    lambda book, lease: book.log(lease, "info", "by a zombie"),
    lambda book, lease: book.finish(lease, JobState.SUCCEEDED, result={"by": "a zombie"}),
    lambda book, lease: book.put_back(lease, run_after=None, error=None, why="by a zombie"),
]


def zombie_changes_nothing(desk: Desk, write: Callable[[LeaseBook, Lease], object]) -> bool:
    """Whether a run that lost its job to another is refused, and the row stays as the other left it."""
    job = desk.order()
    _, zombie = desk.claim("zombie")
    desk.now += LEASE_S + 1
    desk.ledger.reap()
    desk.claim("two")
    before, log = desk.ledger.show(job.id), desk.log(job)
    refused = False
    try:
        write(desk.book, zombie)
    except LeaseLost:
        refused = True
    return refused and desk.ledger.show(job.id) == before and desk.log(job) == log


@pytest.mark.parametrize("write", WRITES)
def test_who_lost_its_lease_writes_nothing(desk: Desk, write: Callable[[LeaseBook, Lease], object]) -> None:
    assert zombie_changes_nothing(desk, write)


@pytest.mark.parametrize("write", WRITES)
def test_that_check_sees_a_ledger_without_fences(desk: Desk, write: Callable[[LeaseBook, Lease], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_mine", lambda lease: (jobs.c.id == lease.job_id,))
    assert not zombie_changes_nothing(desk, write)


def test_a_job_that_was_put_back_is_nobodys(desk: Desk) -> None:
    job = desk.order()
    _, lease = desk.claim()
    desk.book.put_back(lease, run_after=desk.now + 10, error={"code": "store_unavailable", "message": "Away."}, why="attempt 1: away")
    with pytest.raises(LeaseLost):
        desk.book.save(lease, {})
    found = desk.ledger.show(job.id)
    assert (found.state, found.attempts, found.error, found.run_after) == (
        JobState.QUEUED, 1, {"code": "store_unavailable", "message": "Away."}, desk.now + 10,
    )  # fmt: skip
    assert desk.nothing_due()


def test_a_stop_of_the_process_counts_as_no_attempt(desk: Desk) -> None:
    job = desk.order()
    _, lease = desk.claim()
    desk.book.put_back(lease, run_after=None, error=None, why="stops")
    assert (desk.ledger.show(job.id).attempts, desk.claim()[0].attempts) == (0, 1)


def test_a_job_that_kills_its_process_each_time_fails_unless_it_gets_further(desk: Desk) -> None:
    bad, good = desk.order("bad", max_attempts=3), desk.order("good", max_attempts=3)
    for number in range(3):
        for job, lease in (desk.claim(), desk.claim()):
            if job.id == good.id:
                desk.book.save(lease, {"done": number})
        desk.now += LEASE_S + 1
        desk.ledger.reap()
    failed = desk.ledger.show(bad.id)
    assert (failed.state, (failed.error or {})["code"]) == (JobState.FAILED, "worker_lost")
    assert "3 times" in (failed.error or {})["message"]
    assert desk.ledger.show(good.id).state is JobState.QUEUED


def test_a_deadline_that_passes_in_the_queue_ends_the_job(desk: Desk) -> None:
    job = desk.order(deadline=desk.now + 10)
    desk.now += 10
    assert desk.ledger.reap() == [job.id]
    assert (desk.ledger.show(job.id).error or {})["code"] == "deadline"
    assert desk.ledger.retry(job.id, "me").deadline == pytest.approx(desk.now + 10, abs=0.01)


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(desk: Desk) -> None:
    queued = desk.order("q")
    assert desk.ledger.cancel(queued.id, "me").state is JobState.CANCELLED
    running = desk.order("r")
    _, lease = desk.claim()
    assert not desk.book.is_cancelled(lease)
    assert desk.ledger.cancel(running.id, "me").state is JobState.RUNNING
    assert desk.book.is_cancelled(lease)
    desk.book.put_back(lease, run_after=None, error=None, why="stops")
    assert desk.ledger.show(running.id).state is JobState.CANCELLED, "it does not come back after it was cancelled"
    assert desk.log(running) == ["me asked for its end", "stops"]


def test_a_cancelled_job_whose_process_died_is_cancelled(desk: Desk) -> None:
    job = desk.order()
    desk.claim()
    desk.ledger.cancel(job.id, "me")
    desk.now += LEASE_S + 1
    desk.ledger.reap()
    assert desk.ledger.show(job.id).state is JobState.CANCELLED


def test_an_ended_job_is_queued_again_with_its_checkpoint_and_a_success_is_not(desk: Desk) -> None:
    job = desk.order()
    _, lease = desk.claim()
    desk.book.save(lease, {"done": 5})
    desk.book.finish(lease, JobState.FAILED, error={"code": "store_denied", "message": "Token refused."})
    again = desk.ledger.retry(job.id, "me")
    assert (again.state, again.checkpoint, again.error, again.attempts, again.finished_at) == (JobState.QUEUED, {"done": 5}, None, 0, None)
    with pytest.raises(CallerError, match="is queued"):
        desk.ledger.retry(job.id, "me")
    _, lease = desk.claim()
    desk.book.finish(lease, JobState.SUCCEEDED, result={"points": 1})
    with pytest.raises(CallerError, match="is succeeded"):
        desk.ledger.retry(job.id, "me")
    assert desk.log(job) == ["failed: Token refused.", "queued again by me", "succeeded"]


def test_a_lease_taken_over_on_purpose_is_in_the_log(desk: Desk) -> None:
    job = desk.order()
    _, lease = desk.claim("one")
    desk.ledger.take_over(job.id, "operator")
    with pytest.raises(LeaseLost):
        desk.book.save(lease, {})
    assert desk.log(job) == ["lease of one taken over on purpose by operator"]
    assert desk.claim("two")[0].fence == 3
    desk.ledger.cancel(desk.order("b").id, "me")
    with pytest.raises(CallerError, match="only a running one"):
        desk.ledger.take_over(desk.ledger.list(KINDS, [JobState.CANCELLED])[0].id, "operator")


def test_a_log_keeps_its_newest_lines(desk: Desk) -> None:
    job = desk.order()
    _, lease = desk.claim()
    with desk.database.write() as connection:
        for number in range(KEPT_LINES + 50):
            leases.add_line(connection, job.id, desk.now, "info", f"line {number}")
    desk.book.log(lease, "info", "x" * 5_000)
    kept = [line.message for line in desk.ledger.newest_lines(job.id, 10_000)]
    assert (len(kept), kept[0], len(kept[-1])) == (KEPT_LINES, "line 51", 2_000)


def test_a_line_may_hold_anything(desk: Desk) -> None:
    job = desk.order()
    desk.book.log(desk.claim()[1], "info", "a\0b \N{SNOWMAN} 'quoted'")
    assert desk.log(job) == ["a\ufffdb \N{SNOWMAN} 'quoted'"]


def test_the_rate_of_a_job_that_is_taken_up_is_that_of_its_attempt(desk: Desk) -> None:
    job = desk.order()
    desk.book.progress(desk.claim()[1], Progress(70, 100, "slices", base=0, since=desk.now - 7))
    desk.now += LEASE_S + 1
    desk.ledger.reap()
    progress = desk.claim()[0].progress
    assert progress == Progress(70, 100, "slices", base=70, since=desk.now)
    assert desk.ledger.show(job.id).progress == progress


def test_old_ended_jobs_go_and_open_ones_stay(desk: Desk) -> None:
    waiting = desk.order("waiting", run_after=desk.now + 1e6)
    ended = [desk.order(f"{number}") for number in range(5)]
    for job in ended:
        desk.ledger.cancel(job.id, "me")
    assert desk.ledger.prune(keep=2) == 3
    assert {job.id for job in desk.ledger.list(KINDS)} == {waiting.id, ended[3].id, ended[4].id}
    assert desk.log(ended[0]) == []
    with pytest.raises(UnknownThing, match="GET /jobs"):
        desk.ledger.show(ended[0].id)


def test_one_sender_sends_each_due_job_and_again_after_a_while(desk: Desk) -> None:
    first, second = desk.order("a", "target"), desk.order("b")
    desk.order("later", run_after=desk.now + 1_000)
    assert desk.ledger.to_send(60, 10) == [first.id, second.id]
    assert desk.ledger.to_send(60, 10) == []
    desk.ledger.unsend([second.id])
    assert desk.ledger.to_send(60, 10) == [second.id]
    desk.claim()
    desk.order("c", "target")
    desk.now += 61
    assert desk.ledger.to_send(60, 10) == [second.id], "one whose key is taken is not sent"


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_events_gives_a_key_two_holders_or_loses_a_job(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    ids = [desk.order(f"{number}", f"key {number % 2}").id for number in range(6)]
    held: list[tuple[Job, Lease]] = []
    for _ in range(120):
        act = chance.choice(["claim", "claim", "time", "reap", "finish", "stop", "renew"])
        if act == "claim" and (claimed := desk.ledger.claim(f"owner {chance.random()}", LEASE_S, KINDS)):
            held.append(claimed)
        elif act == "time":
            desk.now += chance.choice([1, 10, 40])
        elif act == "reap":
            desk.ledger.reap()
        elif held:
            job, lease = held.pop(chance.randrange(len(held)))
            try:
                if act == "finish":
                    desk.book.finish(lease, JobState.SUCCEEDED)
                elif act == "stop":
                    desk.book.put_back(lease, run_after=None, error=None, why="stops")
                else:
                    held.append((job, desk.book.renew(lease, LEASE_S)))
            except LeaseLost:
                assert desk.ledger.show(job.id).fence > lease.fence or desk.ledger.show(job.id).state is not JobState.RUNNING
        running = [job.exclusion_key for job in desk.ledger.list(KINDS, [JobState.RUNNING])]
        assert len(running) == len(set(running))
    desk.now += 1_000
    while (desk.ledger.reap() or True) and (claimed := desk.ledger.claim("last", LEASE_S, KINDS)):
        desk.book.finish(claimed[1], JobState.SUCCEEDED)
    assert {desk.ledger.show(one).state for one in ids} == {JobState.SUCCEEDED}
