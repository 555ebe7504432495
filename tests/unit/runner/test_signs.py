"""What a probe sees of a process: its file, its age, and whether the process is there."""

import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import cli
from service.domain.roles import Role
from service.runner.heartbeat import Heartbeat
from service.runner.signs import SILENT_S, give_sign, remove_forgotten, sign_file, silence
from service.runner.worker_watch import WorkerWatch
from service.state.database import StateDatabase
from service.state.processes import ALIVE_S, Process, ProcessStore
from tests.support.clock import Clock
from tests.support.waiting import until

NOW = 1_700_000_000.0
WORKER = Process("host:1:aa", Role.WORKER, "0.1.0")


def alive(_: int) -> bool:
    return True


def test_a_process_that_gives_signs_is_well_and_one_that_hangs_is_not(tmp_path: Path) -> None:
    file = sign_file(tmp_path, Role.WORKER)
    give_sign(file)
    os.utime(file, (NOW, NOW))
    assert silence(tmp_path, Role.WORKER, alive, NOW + SILENT_S) is None
    reason = silence(tmp_path, Role.WORKER, alive, NOW + SILENT_S + 1)
    assert reason == f"The worker with the process id {os.getpid()} has given no sign of life for 61 s."


def test_other_roles_other_machines_and_dead_processes_do_not_count(tmp_path: Path) -> None:
    give_sign(sign_file(tmp_path, Role.SCHEDULER))
    give_sign(tmp_path / "worker-another-machine-7")
    assert "No worker runs" in (silence(tmp_path, Role.WORKER, alive, time.time()) or "")
    give_sign(sign_file(tmp_path, Role.WORKER))
    assert "No worker runs" in (silence(tmp_path, Role.WORKER, lambda _: False, time.time()) or "")


def test_files_of_the_day_before_are_removed(tmp_path: Path) -> None:
    old = tmp_path / "worker-another-machine-7"
    give_sign(old)
    os.utime(old, (NOW, NOW))
    give_sign(sign_file(tmp_path, Role.WORKER))
    remove_forgotten(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [sign_file(tmp_path, Role.WORKER).name]


def test_a_heartbeat_gives_both_signs_and_takes_its_leave(state_url: str, tmp_path: Path) -> None:
    state = StateDatabase(state_url)
    state.migrate()
    store = ProcessStore(state, time.time)
    heartbeat = Heartbeat(store, WORKER, tmp_path / "signs", every_s=0.05)
    heartbeat.start()
    assert silence(tmp_path / "signs", Role.WORKER, alive, time.time()) is None
    until(lambda: store.presence()[Role.WORKER].alive == 1)
    heartbeat.stop()
    assert (store.presence()[Role.WORKER].alive, list((tmp_path / "signs").iterdir())) == (0, [])
    state.close()


def test_a_missing_worker_is_a_warning_where_jobs_need_one(state_url: str) -> None:
    state, clock = StateDatabase(state_url), Clock(NOW)
    state.migrate()
    store = ProcessStore(state, clock)
    watch = WorkerWatch(store, clock, needs_workers=True)
    assert watch.warning() == "No worker has been alive yet. Queued jobs wait. Start one: fluxgate worker."
    assert WorkerWatch(store, clock, needs_workers=False).warning() is None
    store.beat(WORKER)
    clock.now += 6
    assert watch.warning() is None
    clock.now += ALIVE_S
    since = "No worker alive since 2023-11-14T22:13:20Z."
    assert watch.warning() == f"{since} Queued jobs wait. Start one: fluxgate worker."
    state.close()


def test_the_probe_ends_with_1_when_nobody_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    gone = CliRunner().invoke(cli, ["probe", "worker"])
    assert (gone.exit_code, "No worker runs on this machine" in gone.output) == (1, True)
    give_sign(sign_file(tmp_path / "processes", Role.WORKER))
    assert CliRunner().invoke(cli, ["probe", "worker"]).exit_code == 0
    assert CliRunner().invoke(cli, ["probe", "gateway"]).exit_code == 2
