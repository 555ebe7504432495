"""Jobs over HTTP and on the shell: ordered, listed, followed, cancelled, retried; each key sees its own kinds."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from service.api import jobs, problems
from service.api.auth import requires
from service.api.body_gate import BodyGateMiddleware
from service.api.failed_tries import FailedTries
from service.api.job_schemas import JobInfo
from service.api.json_bodies import json_body, request_body
from service.api.thread_pools import ThreadPools
from service.commands.jobs import list_jobs
from service.console.jobs import summary
from service.domain.access import Principal, Scope
from service.domain.schedule import Schedule
from service.jobs import JobQueue
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.runner.scheduler import queue_options_by_kind
from service.runner.worker_watch import WorkerWatch
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.keys import KeyRing
from service.state.leases import LeaseStore
from service.state.processes import ProcessStore
from service.state.schedules import ScheduleStore
from tests.support.jobs import KINDS, numbers
from tests.support.old_keys import old_key
from tests.support.servers import free_port
from tests.support.waiting import until

KEY = "a-key-for-tests-0123456789"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Parts:
    jobs: JobQueue
    schedules: ScheduleStore
    keys: KeyRing
    failed_tries: FailedTries
    pools: ThreadPools
    workers: WorkerWatch
    clock_ns: Any = time.time_ns
    limits: Any = field(
        default_factory=lambda: SimpleNamespace(max_document_bytes=100_000, body_silence_s=10, body_timeout_s=10)
    )


@dataclass(frozen=True)
class Served:
    http: httpx.Client
    keys: KeyRing
    database: StateDatabase
    schedules: ScheduleStore
    runner: LocalRunner
    out: Path

    def trigger(self, n: int, key: str = KEY, **more: Any) -> httpx.Response:
        body = {"n": n, "file": str(self.out), **more}
        return self.http.post("/count/trigger", json=body, headers={"X-API-Key": key})

    def state(self, job_id: str) -> str:
        return str(self.http.get(f"/jobs/{job_id}").json()["state"])


def application(parts: Parts) -> FastAPI:
    app = FastAPI()
    app.state.parts = parts
    app.include_router(jobs.router)
    problems.install(app)

    app.add_middleware(BodyGateMiddleware)

    @app.post("/count/trigger", status_code=202, openapi_extra=request_body(dict[str, Any], "Body"))
    async def trigger(
        request: Request,
        response: Response,
        body: Annotated[dict[str, Any], json_body(dict[str, Any], Scope.MIRROR)],
        principal: Principal = requires(Scope.MIRROR),  # noqa: B008
    ) -> JobInfo:
        return await jobs.submit_job(request, response, principal, "count", body)

    return app


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The routes of jobs over a runner that is not started yet."""
    state = StateDatabase.in_directory(tmp_path / "state")
    state.migrate()
    job_store = JobStore(state, time.time)
    runner = LocalRunner(
        job_store, Runner(LeaseStore(state, time.time), KINDS, time.time, lease_s=5), slots=2, poll_s=0.1
    )
    hourly = Schedule("hourly", "count", {"n": 1, "file": "out"}, every="01:00:00")
    schedules = ScheduleStore(state, lambda: {"hourly": hourly}, queue_options_by_kind(KINDS), time.time)
    failed_tries = FailedTries(100, time.monotonic)
    parts = Parts(
        JobQueue(job_store, KINDS, time.time, runner.wake),
        schedules,
        KeyRing(state, KEY, time.time),
        failed_tries,
        ThreadPools(),
        WorkerWatch(ProcessStore(state, time.time), time.time, needs_workers=False),
    )
    config = uvicorn.Config(
        application(parts), port=(port := free_port()), log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY}, timeout=20) as http:
        yield Served(http, parts.keys, state, schedules, runner, tmp_path / "out")
    server.should_exit = True
    runner.stop()
    thread.join(10)
    state.close()


def events(served: Served, job_id: str, **headers: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Id, name and data of all events until the stream ends."""
    text = served.http.get(f"/jobs/{job_id}/events", headers=headers).raise_for_status().text
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


def test_an_order_is_accepted_at_once_and_says_where_the_job_is(served: Served) -> None:
    answer = served.trigger(3)
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert served.http.get(answer.headers["Location"]).json()["parameters"]["n"] == 3
    assert served.trigger(3).headers["Location"] == answer.headers["Location"], "the same, while it waits"
    assert served.trigger(4).headers["Location"] != answer.headers["Location"]


def test_a_wrong_order_is_refused_before_anything_is_queued(served: Served) -> None:
    answer = served.http.post("/count/trigger", json={"n": "many"})
    assert (answer.status_code, answer.json()["code"], answer.json()["parameter"]) == (422, "invalid_parameter", "n")
    assert served.http.get("/jobs").json() == {"jobs": [], "before": None, "warnings": []}


def test_a_job_is_followed_to_its_end_and_again_from_any_event(served: Served) -> None:
    job_id = served.trigger(12, pause_s=0.2).json()["id"]
    served.runner.start()
    told = events(served, job_id)
    states = [data["state"] for _, name, data in told if name == "job"]
    assert (states[-1], told[-1][2]["result"]) == ("succeeded", {"counted": 12})
    assert "running" in states
    assert told[-1][2]["progress"]["done"] == 12
    assert [data["message"] for _, name, data in told if name == "log"] == ["succeeded"]
    middle = told[len(told) // 2][0]
    again = events(served, job_id, **{"Last-Event-ID": middle})
    assert again[-1] == told[-1]
    assert not {one[0] for one in told[: len(told) // 2]} & {one[0] for one in again}
    assert events(served, job_id, **{"Last-Event-ID": "nonsense"})[-1] == told[-1]
    lines_first = events(served, job_id)
    assert (lines_first[0][1], lines_first[0][0].split(".")[0]) == ("log", "-1")
    rest = events(served, job_id, **{"Last-Event-ID": lines_first[0][0]})
    assert rest == lines_first[1:], "the line that came was told twice"


def test_a_cancelled_job_is_run_again_from_its_checkpoint(served: Served) -> None:
    job_id = served.trigger(30, pause_s=0.05).json()["id"]
    served.runner.start()
    until(lambda: len(numbers(served.out)) > 3)
    assert served.http.post(f"/jobs/{job_id}/cancel").status_code == 202
    until(lambda: served.state(job_id) == "cancelled", 2)
    again = served.http.post(f"/jobs/{job_id}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    until(lambda: served.state(job_id) == "succeeded")
    assert numbers(served.out) == list(range(30))
    assert served.http.post(f"/jobs/{job_id}/retry").status_code == 400
    assert served.http.post(f"/jobs/{job_id}/cancel").json()["state"] == "succeeded"


def test_force_takes_a_job_from_its_process_and_says_so(served: Served) -> None:
    job_id = served.trigger(20, pause_s=0.1).json()["id"]
    served.runner.start()
    until(lambda: len(numbers(served.out)) > 1)
    assert served.http.post(f"/jobs/{job_id}/retry").json()["code"] == "bad_request"
    assert served.http.post(f"/jobs/{job_id}/retry?force=true").status_code == 202
    until(lambda: served.state(job_id) == "succeeded")
    log = [line["message"] for line in served.http.get(f"/jobs/{job_id}").json()["log"]]
    assert any("taken over on purpose by API_KEY" in line for line in log)
    assert set(numbers(served.out)) == set(range(20))


def test_jobs_are_listed_by_kind_and_state_in_pages(served: Served) -> None:
    ids = [served.trigger(number).json()["id"] for number in range(1, 6)]
    served.http.post(f"/jobs/{ids[0]}/cancel")
    assert {one["id"] for one in served.http.get("/jobs?state=queued&kind=count").json()["jobs"]} == set(ids[1:])
    assert served.http.get("/jobs?kind=other").json()["jobs"] == []
    first = served.http.get("/jobs?limit=3").json()
    rest = served.http.get(f"/jobs?limit=3&before={first['before']}").json()
    assert [one["id"] for one in [*first["jobs"], *rest["jobs"]]] == sorted(ids, reverse=True)
    assert rest["before"] is None
    for wrong in ("state=nonsense", "before=%00", "before=..", "limit=0", "limit=501"):
        assert served.http.get(f"/jobs?{wrong}").status_code == 422, wrong
    assert served.http.get("/jobs/%00").status_code == 404


def test_a_key_sees_the_kinds_of_its_scopes_and_a_limited_one_no_jobs(served: Served) -> None:
    job_id = served.trigger(3).json()["id"]

    def seen(scopes: list[Scope], buckets: tuple[str, ...] = ()) -> tuple[int, int, int]:
        key = old_key(served.keys, served.database, scopes, buckets) if buckets else served.keys.create("k", scopes)[0]
        headers = {"X-API-Key": key}
        answers = served.http.get("/jobs", headers=headers), served.http.get(f"/jobs/{job_id}", headers=headers)
        return answers[0].status_code, len(answers[0].json().get("jobs", [])), answers[1].status_code

    assert seen([Scope.MIRROR]) == (200, 1, 200)
    assert seen([Scope.ADMIN]) == (200, 1, 200)
    assert seen([Scope.BACKUP]) == (200, 0, 404)
    assert seen([Scope.MIRROR, Scope.ADMIN], ("mine",)) == (403, 0, 403)
    assert seen([Scope.READ]) == (403, 0, 403)


@pytest.mark.parametrize("scope", [Scope.BACKUP, Scope.RESTORE, Scope.CONNECTOR])
def test_a_key_neither_sees_cancels_nor_retries_jobs_of_kinds_that_it_lacks_the_scope_for(
    served: Served, scope: Scope
) -> None:
    job_id = served.trigger(3).json()["id"]
    headers = {"X-API-Key": served.keys.create("other", [scope])[0]}
    for method, path in (
        ("GET", ""),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("POST", "/retry?force=true"),
    ):
        assert served.http.request(method, f"/jobs/{job_id}{path}", headers=headers).status_code == 404, path
    assert served.state(job_id) == "queued"


def test_a_job_that_was_accepted_runs_also_when_its_key_is_revoked_meanwhile(served: Served) -> None:
    key, record = served.keys.create("gone", [Scope.MIRROR])
    job = served.trigger(3, key).json()
    served.keys.revoke(record.id)
    assert job["created_by"] == record.id
    assert served.trigger(4, key).status_code == 401
    served.runner.start()
    until(lambda: served.state(job["id"]) == "succeeded")


def test_schedules_are_shown_with_their_next_run_to_those_who_may_see_their_kind(served: Served) -> None:
    (shown,) = served.http.get("/schedules").json()["schedules"]
    assert (shown["name"], shown["every"], shown["next_run"]) == ("hourly", "01:00:00", None)
    served.schedules.fire()
    (shown,) = served.http.get("/schedules").json()["schedules"]
    assert shown["next_run"].endswith(":00:00.000Z")
    other, _ = served.keys.create("other", [Scope.BACKUP])
    assert served.http.get("/schedules", headers={"X-API-Key": other}).json() == {"schedules": []}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")])
def test_a_job_that_is_not_there_is_a_404(served: Served, method: str, path: str) -> None:
    answer = served.http.request(method, f"/jobs/nothing{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert httpx.request(method, f"{served.http.base_url}/jobs/nothing{path}").status_code == 401


def shell(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from service.commands.jobs import cli; cli()",
        *arguments,
        "--url",
        str(served.http.base_url),
        "--key",
        KEY,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


def test_what_a_job_is_about_is_told_in_a_few_words() -> None:
    """A verification looked like a run in the list."""
    assert summary({"kind": "mirror", "parameters": {"mirror": "plant"}}) == "mirror plant"
    assert summary({"kind": "mirror", "parameters": {"mirror": "plant", "verify": True}}) == "mirror plant (verify)"
    assert (
        summary({"kind": "mirror", "parameters": {"mirror": "plant", "dry_run": True, "again": True}})
        == "mirror plant (dry run, again)"
    )
    assert summary({"kind": "count", "parameters": {"n": 8}}) == "count"


def test_a_list_with_a_long_error_fits_a_narrow_terminal(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error took the place of all else: ids were cut, and states gone."""
    monkeypatch.setenv("COLUMNS", "80")
    job_id = served.trigger(3, fails=1).json()["id"]
    served.runner.start()
    while not served.http.get(f"/jobs/{job_id}").json()["error"]:
        time.sleep(0.05)
    error = served.http.get(f"/jobs/{job_id}").json()["error"]["message"]
    list_jobs(limit=20, url=str(served.http.base_url), key=KEY)
    shown = capsys.readouterr().out
    assert f"│ {job_id} │ count" in shown
    assert f"{job_id}: {error}" in shown


def test_the_shell_lists_shows_watches_cancels_and_retries(served: Served) -> None:
    job_id = served.trigger(8, pause_s=0.1).json()["id"]
    assert json.loads(shell(served, "list", "--json").stdout)[0]["id"] == job_id
    assert shell(served, "cancel", job_id).stdout == f"{job_id} cancelled\n"
    assert shell(served, "retry", job_id).stdout == f"{job_id} queued\n"
    served.runner.start()
    watched = shell(served, "watch", job_id)
    assert (watched.returncode, watched.stdout) == (0, f"{job_id} succeeded\n")
    assert [json.loads(line)["event"] for line in shell(served, "watch", job_id, "--json").stdout.splitlines()][
        -1
    ] == "job"
    shown = shell(served, "show", job_id).stdout
    assert "8/8 numbers" in shown
    assert 'parameters   {"n": 8' in shown
    assert "There is nothing at /jobs/../keys" in shell(served, "show", "../keys").stderr  # and not what /keys says
    assert "queued again by API_KEY" in shown
