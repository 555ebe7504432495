"""Two gateways, two workers and a scheduler as real processes over PostgreSQL and a broker.

They ask the database little while they idle, notice each other's work at once, and say so when nobody does the work.
"""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.config.coordinates import COORDINATES
from service.config.store import ConfigStore
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from service.state.notifications import ChangeListener
from tests.support.demanded import or_skip
from tests.support.fleet import INFLUX_AWAY, Fleet, background, command, recorded_statements, running_fleet
from tests.support.gateways import KEY, MODULE, environment
from tests.support.servers import Server, start_postgres
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
IDLE_S = 10.0
MOST_STATEMENTS_PER_S = 5


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    started = or_skip(start_postgres)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def fleet(postgres: Server, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    state_url = f"postgresql+psycopg://postgres@127.0.0.1:{postgres.port}/postgres"
    settings = {**INFLUX_AWAY, "STATE_DATABASE_URL": state_url, "CELERY_BROKER_URL": redis_url}
    with running_fleet(tmp_path_factory.mktemp("fleet"), settings) as running:
        yield running


def order(fleet: Fleet, gateway: int, **parameters: object) -> str:
    """The id of a job that any worker can do without a store."""
    with fleet.gateways[gateway].http() as http:
        body = {"dry_run": True, **parameters}
        return str(http.post("/backups/prune", json=body).raise_for_status().json()["id"])


def state(fleet: Fleet, job_id: str) -> str:
    with fleet.gateways[0].http() as http:
        return str(http.get(f"/jobs/{job_id}").raise_for_status().json()["state"])


def test_an_idle_fleet_asks_the_state_database_at_most_five_times_a_second(fleet: Fleet, postgres: Server) -> None:
    """It was 38 times: every process looked for every kind of work once a second, each in a transaction."""
    with fleet.gateways[0].http() as http:
        until(lambda: "No worker" not in http.get("/jobs").text, 30)
    with recorded_statements(postgres) as statements:
        time.sleep(IDLE_S)
    assert 0 < len(statements) <= MOST_STATEMENTS_PER_S * IDLE_S, statements


def test_a_job_of_either_gateway_runs_on_a_worker(fleet: Fleet) -> None:
    for gateway in (0, 1):
        job_id = order(fleet, gateway)
        until(lambda job_id=job_id: state(fleet, job_id) == "succeeded", 30)


def test_a_schedule_that_one_gateway_is_given_fires_at_once_and_each_tick_once(fleet: Fleet) -> None:
    tick = {"kind": "backup_prune", "parameters": {"dry_run": True}, "every": "00:00:01"}
    with fleet.gateways[1].http() as http:
        http.put("/config/schedules", json={"tick": tick}).raise_for_status()
        until(lambda: len(scheduled(http)) >= 3, 30)
        http.put("/config/schedules", json={}).raise_for_status()
        ticks = [job["created_at"][:19] for job in scheduled(http)]
    assert len(set(ticks)) == len(ticks)


def scheduled(http: httpx.Client) -> list[dict[str, Any]]:
    """The jobs that a schedule made."""
    return [job for job in http.get("/jobs", params={"limit": 100}).json()["jobs"] if job["schedule"] == "tick"]


def test_metrics_count_the_processes_of_each_role(fleet: Fleet) -> None:
    wanted = [f'fluxgate_processes_alive{{role="{role}"}} 2.0' for role in ("gateway", "worker")]
    with fleet.gateways[0].http() as http:
        until(lambda: all(line in http.get("/metrics").text for line in wanted), 90)
        assert 'fluxgate_processes_alive{role="scheduler"} 1.0' in http.get("/metrics").text


def test_the_database_tells_at_once_what_others_changed(fresh_postgres_url: str) -> None:
    """Else work that another process queued would wait for the next look, ten seconds later."""
    changes: list[str] = []
    state_database = StateDatabase(fresh_postgres_url)  # where no worker takes the job before the test does
    state_database.migrate()
    job_store = JobStore(state_database, time.time)
    config = ConfigStore(state_database, time.time)
    config.register(COORDINATES)
    listener = ChangeListener(
        state_database, {name: lambda name=name: changes.append(name) for name in ("jobs", "configuration")}
    )
    listener.start()
    until(lambda: changes == ["jobs", "configuration"])
    config.put("coordinates", {"latitude": 1.0, "longitude": 2.0})
    until(lambda: changes[2:] == ["configuration"])
    job, _ = job_store.enqueue("census", {}, None)
    until(lambda: "jobs" in changes[3:])
    claimed = job_store.claim("me", 30, ["census"])
    assert claimed is not None
    until(lambda: changes[3:].count("jobs") == 2)
    LeaseStore(state_database, time.time).renew(claimed[1], 30)
    LeaseStore(state_database, time.time).finish(claimed[1], job.state.CANCELLED)
    until(lambda: changes[3:].count("jobs") == 3)
    listener.stop()
    state_database.close()


def test_the_probe_sees_a_worker_and_no_longer_one_that_was_killed(fleet: Fleet, tmp_path: Path) -> None:
    with background(fleet.settings, tmp_path, "worker") as worker:
        seen = command(fleet.settings, tmp_path, "probe", "worker")
        assert (seen.returncode, seen.stdout) == (0, "alive\n"), seen.stderr
        worker.kill()
        worker.wait(10)
        gone = command(fleet.settings, tmp_path, "probe", "worker")
        assert (gone.returncode, "No worker runs on this machine" in gone.stderr) == (1, True)


def test_without_a_worker_a_waiting_job_says_so_everywhere(fleet: Fleet, tmp_path: Path) -> None:
    """`--wait` and `verify` used to wait without a word, for ever. This is the last test: it ends the workers."""
    for worker in fleet.workers:
        worker.terminate()
    for worker in fleet.workers:
        worker.wait(30)
    job_id = order(fleet, 0)
    with fleet.gateways[0].http() as http:
        until(lambda: http.get("/jobs").json()["warnings"], 60)
        (warning,) = http.get("/jobs").json()["warnings"]
        assert warning.startswith("No worker alive since 20") and "fluxgate worker" in warning
        log = tmp_path / "watch.log"
        with log.open("wb") as printed:
            options = ("--url", fleet.gateways[0].url, "--key", KEY)
            watching = subprocess.Popen(
                [*MODULE, "jobs", "watch", job_id, *options],
                env=environment({}, tmp_path),
                cwd=tmp_path,
                stdout=printed,
                stderr=printed,
            )
        until(lambda: warning in log.read_text(), 60)
        watching.kill()
        watching.wait(10)
    with fleet.gateways[1].http() as http:
        until(lambda: warning in http.get("/health/ready").json()["warnings"], 90)
