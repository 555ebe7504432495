"""Kinds with slots of their own: slow jobs of one kind hold up no other, and jobs that make way go to the end."""

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.domain.access import Scope
from service.domain.job import JobState, Yielded
from service.jobs import JobContext, JobKind, Kinds
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from tests.support.waiting import until


class Gate:
    """Jobs that wait until `opened`. `running` holds those that do."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.running: set[str] = set()
        self.most = 0

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return None

    def validate(self, parameters: Mapping[str, Any]) -> None:
        pass

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        self.running.add(context.job_id)
        self.most = max(self.most, len(self.running))
        while not self.opened.is_set():
            context.sleep(0.01)
        self.running.discard(context.job_id)
        return {}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDatabase]:
    database = StateDatabase.in_directory(tmp_path)
    database.migrate()
    yield database
    database.close()


def started(state: StateDatabase, kinds: Kinds, slots: int = 2) -> tuple[JobStore, LocalRunner]:
    job_store = JobStore(state, time.time)
    runner = Runner(LeaseStore(state, time.time), kinds, time.time)
    local = LocalRunner(job_store, runner, slots=slots, poll_s=0.02)
    local.start()
    return job_store, local


def test_a_kind_with_slots_of_its_own_takes_none_of_the_others(state: StateDatabase) -> None:
    slow, quick = Gate(), Gate()
    quick.opened.set()
    kinds = Kinds([JobKind("slow", Scope.ADMIN, slow, slots=3), JobKind("quick", Scope.ADMIN, quick)])
    job_store, local = started(state, kinds)
    for number in range(5):
        job_store.enqueue("slow", {"number": number}, None)
    until(lambda: len(slow.running) == 3)
    jobs = [job_store.enqueue("quick", {"number": number}, None)[0] for number in range(4)]
    until(lambda: all(job_store.show(job.id).state is JobState.SUCCEEDED for job in jobs))
    assert slow.most == 3
    slow.opened.set()
    until(lambda: len(job_store.list(["slow"], [JobState.SUCCEEDED])) == 5)
    assert slow.most == 3
    assert local.stop()


def test_other_kinds_share_their_slots_as_before(state: StateDatabase) -> None:
    first, second = Gate(), Gate()
    kinds = Kinds([JobKind("first", Scope.ADMIN, first), JobKind("second", Scope.ADMIN, second)])
    job_store, local = started(state, kinds, slots=2)
    for number in range(3):
        job_store.enqueue("first", {"number": number}, None)
        job_store.enqueue("second", {"number": number}, None)
    until(lambda: len(first.running) + len(second.running) == 2)
    first.opened.set()
    second.opened.set()
    until(lambda: len(job_store.list(["first", "second"], [JobState.SUCCEEDED])) == 6)
    assert max(first.most, second.most) <= 2
    assert local.stop()


class Turns:
    """Jobs that make way after each step of three. `steps`: which job made one, in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return None

    def validate(self, parameters: Mapping[str, Any]) -> None:
        pass

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        done = context.checkpoint.get("done", 0) + 1
        self.steps.append(parameters["name"])
        context.save({"done": done})
        if done < 3:
            raise Yielded("it makes way")
        return {"done": done}


def test_jobs_that_make_way_take_turns_and_keep_what_they_did(state: StateDatabase) -> None:
    turns, now = Turns(), [1_000.0]

    def clock() -> float:
        now[0] += 0.001
        return now[0]

    kinds = Kinds([JobKind("turns", Scope.ADMIN, turns, max_attempts=1)])
    job_store = JobStore(state, clock)
    for name in "ab":
        job_store.enqueue("turns", {"name": name}, None)
    local = LocalRunner(job_store, Runner(LeaseStore(state, clock), kinds, clock, lease_s=1e6), slots=1, poll_s=0.02)
    local.start()
    until(lambda: len(job_store.list(["turns"], [JobState.SUCCEEDED])) == 2)
    assert local.stop()
    assert turns.steps == ["a", "b", "a", "b", "a", "b"]
    lines = [line for job in job_store.list(["turns"]) for line in job_store.lines(job.id)]
    assert [line.level for line in lines if "makes way" in line.message] == ["info"] * 4
