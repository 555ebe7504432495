"""Schedules: each tick makes one job however many look, and none while the last is not done.

The configuration alone says what they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.config.store import ConfigStore
from service.domain.access import Scope
from service.domain.job import JobState
from service.domain.schedule import Missed, Schedule
from service.errors import InvalidParameter
from service.jobs import JobKind
from service.jobs.schedule_section import named, schedules_section
from service.runner.scheduler import queue_options_by_kind
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from service.state.schedules import ScheduleStore
from tests.support.jobs import KINDS, Counting

COUNT = {"n": 1, "file": "out"}
HOUR = 3_600.0


@dataclass
class Clockwork:
    """A schedule store over a time and definitions that the test sets."""

    database: StateDatabase
    now: float = 10 * HOUR + 1
    definitions: dict[str, Schedule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.job_store = JobStore(self.database, lambda: self.now)
        self.store = self.another_process()

    def another_process(self) -> ScheduleStore:
        return ScheduleStore(self.database, lambda: self.definitions, queue_options_by_kind(KINDS), lambda: self.now)

    def add(self, name: str = "hourly", every: str = "01:00:00", **more: Any) -> None:
        self.definitions = {**self.definitions, name: Schedule(name, "count", COUNT, every=every, **more)}

    def end_all(self) -> None:
        while claimed := self.job_store.claim("one", 30, ["count"]):
            LeaseStore(self.database, lambda: self.now).finish(claimed[1], JobState.SUCCEEDED)


@pytest.fixture
def clockwork(state_url: str) -> Iterator[Clockwork]:
    database = StateDatabase(state_url)
    database.migrate()
    yield Clockwork(database)
    database.close()


def test_a_new_schedule_waits_for_its_next_tick_and_then_fires_once(clockwork: Clockwork) -> None:
    clockwork.add()
    other = clockwork.another_process()
    assert clockwork.store.fire() == other.fire() == []
    assert clockwork.store.states()["hourly"].next_run == 11 * HOUR
    clockwork.now = 11 * HOUR
    (job_id,) = clockwork.store.fire()
    assert other.fire() == clockwork.store.fire() == []
    job = clockwork.job_store.show(job_id)
    assert (job.schedule, job.parameters, job.max_attempts, job.created_by) == ("hourly", COUNT, 3, "schedule")
    state = clockwork.store.states()["hourly"]
    assert (state.next_run, state.last_run, state.last_job, state.skipped) == (12 * HOUR, 11 * HOUR, job_id, 0)


def test_a_tick_while_the_last_job_is_not_done_is_left_out_and_counted(clockwork: Clockwork) -> None:
    clockwork.add()
    clockwork.store.fire()
    fired = []
    for hour in (11, 12, 13):
        clockwork.now = hour * HOUR
        fired += clockwork.store.fire()
    assert (len(fired), clockwork.store.states()["hourly"].skipped) == (1, 2)
    clockwork.end_all()
    clockwork.now = 14 * HOUR
    assert len(clockwork.store.fire()) == 1


@pytest.mark.parametrize(("missed", "jobs"), [(Missed.RUN_ONCE, 1), (Missed.SKIP, 0)])
def test_ticks_that_nobody_was_there_for_follow_the_policy(clockwork: Clockwork, missed: Missed, jobs: int) -> None:
    clockwork.add(missed=missed)
    clockwork.store.fire()
    clockwork.now = 20.5 * HOUR
    assert len(clockwork.store.fire()) == jobs
    assert clockwork.store.states()["hourly"].next_run == 21 * HOUR


def test_a_schedule_that_is_wrong_by_now_does_not_hold_up_the_others(clockwork: Clockwork) -> None:
    clockwork.definitions = {
        "a": Schedule("a", "gone", {}, every="01:00:00"),
        "b": Schedule("b", "count", {"n": "many"}, every="01:00:00"),
    }
    clockwork.add("c")
    clockwork.store.fire()
    clockwork.now = 11 * HOUR
    assert [clockwork.job_store.show(one).schedule for one in clockwork.store.fire()] == ["c"]
    assert {name: state.skipped for name, state in clockwork.store.states().items()} == {"a": 1, "b": 1, "c": 0}


def test_a_change_moves_the_next_tick_and_a_removal_ends_it(clockwork: Clockwork) -> None:
    clockwork.add()
    clockwork.store.fire()
    clockwork.add(every="00:10:00")
    clockwork.store.fire()
    assert clockwork.store.states()["hourly"].next_run == 10 * HOUR + 600
    clockwork.add(every="00:10:00", enabled=False)
    clockwork.now += 3 * HOUR
    assert clockwork.store.fire() == []
    assert clockwork.store.states()["hourly"].next_run is None
    clockwork.definitions = {}
    clockwork.store.fire()
    assert clockwork.store.states() == {}


def test_a_schedule_at_start_fires_once_a_start_however_many_processes(clockwork: Clockwork) -> None:
    clockwork.add(at_start=True)
    clockwork.add("plain", every="02:00:00")
    stores = [clockwork.another_process() for _ in range(3)]
    fired = []
    for store in stores:
        store.note_start()
        fired += store.fire()
        clockwork.now += 1
    assert [clockwork.job_store.show(one).schedule for one in fired] == ["hourly"]
    clockwork.end_all()
    clockwork.now += 120
    clockwork.another_process().note_start()
    assert len(clockwork.store.fire()) == 1


def test_the_section_schedules_is_checked_when_it_is_put(clockwork: Clockwork) -> None:
    def check(schedule: Schedule) -> None:
        queue_options_by_kind(KINDS)(schedule)

    scheduling = JobKind("mirror", Scope.MIRROR, Counting(), schedules=dict)
    config = ConfigStore(clockwork.database, lambda: clockwork.now)
    config.register(schedules_section(check, [scheduling]))
    assert config.get("schedules").value == {}
    stored = config.put(
        "schedules", {"nightly": {"kind": "count", "parameters": COUNT, "cron": "30 2 * * *", "zone": "Europe/Berlin"}}
    )
    assert named(stored.value) == named(config.get("schedules").value)
    assert named(stored.value)["nightly"].cron == "30 2 * * *"
    for wrong, says in [
        ({"cron": "30 2 * *"}, "five parts"),
        ({"every": "10m"}, "HH:MM:SS"),
        ({"every": "00:10:00", "kind": "nothing"}, "no kind of job 'nothing'"),
        ({"every": "00:10:00", "parameters": {}}, "no whole number"),
        ({"every": "00:10:00", "colour": "red"}, "there is no such member"),
        ({"every": "00:10:00", "missed": "never"}, "run_once"),
    ]:
        with pytest.raises(InvalidParameter, match=says):
            config.put("schedules", {"nightly": {"kind": "count", "parameters": COUNT, **wrong}})
    with pytest.raises(InvalidParameter, match="The schedule 'nightly': every='10m'") as refused:
        config.put("schedules", {"nightly": {"kind": "count", "parameters": COUNT, "every": "10m"}})
    assert refused.value.parameter == "nightly.every"
    with pytest.raises(InvalidParameter, match="names that begin with 'mirror ' are the mirrors' own"):
        config.put("schedules", {"mirror plant": {"kind": "count", "parameters": COUNT, "every": "00:10:00"}})
    assert config.get("schedules").version == 1
