"""One question tells when somebody is needed: to start, to send, to reap, to fire."""

import math
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.config.coordinates import COORDINATES
from service.config.store import ConfigStore
from service.state.database import StateDatabase
from service.state.due import DueTimes
from service.state.jobs import JobStore
from service.state.tables import jobs, schedules
from tests.support.clock import Clock

NEVER = math.inf


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000.0)


@pytest.fixture
def database(state_url: str) -> Iterator[StateDatabase]:
    opened = StateDatabase(state_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def store(database: StateDatabase, clock: Clock) -> JobStore:
    return JobStore(database, clock)


def test_nothing_is_ever_due_in_an_empty_database(store: JobStore) -> None:
    assert store.due.ask() == DueTimes(NEVER, NEVER, NEVER, NEVER, 0)


def test_a_queued_job_may_start_at_its_time_and_one_of_a_taken_key_never(store: JobStore, clock: Clock) -> None:
    store.enqueue("count", {"n": 1}, "key", run_after=1_005.0)
    assert store.due.ask().start_in == store.due.ask().send_in == 5
    clock.now += 5
    assert store.claim("me", 30, ["count"]) is not None
    store.enqueue("count", {"n": 2}, "key")
    due = store.due.ask()
    assert (due.start_in, due.send_in, due.reap_in) == (NEVER, NEVER, 30)


def test_a_message_is_sent_again_when_nobody_claimed_its_job(store: JobStore, clock: Clock) -> None:
    store.enqueue("count", {"n": 1}, None)
    store.to_send(60, 10)
    clock.now += 10
    assert (store.due.ask(60).start_in, store.due.ask(60).send_in) == (-10, 50)


def test_jobs_of_other_kinds_do_not_start_here(store: JobStore) -> None:
    store.enqueue("other", {}, None)
    assert (store.due.ask(kinds=["count"]).start_in, store.due.ask(kinds=["other"]).start_in) == (NEVER, 0)


def test_a_deadline_in_the_queue_and_a_tick_are_due_at_their_time(
    store: JobStore, database: StateDatabase, clock: Clock
) -> None:
    store.enqueue("count", {"n": 1}, None, run_after=9_000.0, deadline=1_007.0)
    row = {"name": "hourly", "timing": "", "next_run": 1_003.0, "last_run": None, "last_job": None, "skipped": 0}
    with database.write() as connection:
        connection.execute(sa.insert(schedules).values(row))
    assert (store.due.ask().reap_in, store.due.ask().fire_in) == (7, 3)
    with database.write() as connection:
        connection.execute(sa.delete(jobs))
    assert store.due.ask().reap_in == NEVER


def test_every_change_of_the_configuration_shows(store: JobStore, database: StateDatabase, clock: Clock) -> None:
    config = ConfigStore(database, clock)
    config.register(COORDINATES)
    seen = [store.due.ask().configuration]
    for latitude in (1.0, 2.0):
        config.put("coordinates", {"latitude": latitude, "longitude": 1.0})
        seen.append(store.due.ask().configuration)
    assert len(set(seen)) == 3
