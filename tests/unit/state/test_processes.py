"""Signs of life: who is alive, and since when nobody is."""

from collections.abc import Iterator

import pytest

from service.domain.roles import Role
from service.state.database import StateDatabase
from service.state.processes import ALIVE_S, Process, ProcessStore, RolePresence
from tests.support.clock import Clock

START_S = 1_700_000_000.0
FIRST, SECOND = Process("a:1:x", Role.WORKER, "0.1.0"), Process("b:2:y", Role.WORKER, "0.1.0")


@pytest.fixture
def database(state_url: str) -> Iterator[StateDatabase]:
    opened = StateDatabase(state_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(START_S)


@pytest.fixture
def store(database: StateDatabase, clock: Clock) -> ProcessStore:
    return ProcessStore(database, clock)


def test_a_process_that_never_was_is_told_from_one_that_is_gone(store: ProcessStore) -> None:
    store.beat(FIRST)
    presence = store.presence()
    assert presence == {
        Role.GATEWAY: RolePresence(0, None),
        Role.WORKER: RolePresence(1, START_S),
        Role.SCHEDULER: RolePresence(0, None),
    }


def test_a_killed_process_is_missed_after_three_beats_and_a_stopped_one_at_once(
    store: ProcessStore, clock: Clock
) -> None:
    store.beat(FIRST)
    store.beat(SECOND)
    store.leave(SECOND)
    assert store.presence()[Role.WORKER] == RolePresence(1, START_S)
    clock.now += ALIVE_S
    assert store.presence()[Role.WORKER] == RolePresence(0, START_S)
    store.beat(SECOND)
    assert store.presence()[Role.WORKER] == RolePresence(1, START_S + ALIVE_S)


def test_the_last_of_a_role_is_remembered_when_old_ones_are_forgotten(store: ProcessStore, clock: Clock) -> None:
    store.beat(FIRST)
    clock.now += 1
    store.beat(SECOND)
    clock.now += 8 * 86_400
    store.prune()
    assert store.presence()[Role.WORKER] == RolePresence(0, START_S + 1)
    store.leave(FIRST)
    assert store.presence()[Role.WORKER].seen_at == START_S + 1, "its row is gone"
