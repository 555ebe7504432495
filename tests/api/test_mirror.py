"""Mirrors over HTTP: configured, ordered, seen; and every wrong order refused with a sentence."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.config.redaction import HIDDEN
from service.domain.access import Scope
from service.domain.schema import BucketSpec
from service.errors import ConfigurationError
from service.features.mirror.commands import list_mirrors
from tests.api.conftest import NOW_NS, Served, write
from tests.support.old_keys import old_key
from tests.support.servers import InfluxServer

Json = dict[str, Any]


CLOUD = {"influxdb_cloud_url": "http://cloud.test", "influxdb_cloud_token": "t", "influxdb_cloud_org": "o"}


def source(influx: InfluxServer) -> Json:
    return {"url": influx.url, "org": influx.org, "token": influx.token}


def configured(http: httpx.Client, **mirrors: Json) -> httpx.Response:
    return http.put("/config/mirrors", json=mirrors)


def finished(http: httpx.Client, job: Json, within_s: float = 30) -> Json:
    """The job's row once it has ended."""
    deadline = time.monotonic() + within_s
    while True:
        found: Json = http.get(f"/jobs/{job['id']}").json()
        if found["state"] not in ("queued", "running"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def by_hand(influx: InfluxServer, bucket: str, **members: Any) -> Json:
    return {"source": source(influx), "buckets": [bucket], "schedule": None, **members}


@pytest.fixture
def filled(influx: InfluxServer) -> str:
    """A bucket with 300 values of two fields."""
    bucket = influx.new_bucket()
    now_s = time.time_ns() // 10**9
    influx.write(
        bucket, "\n".join(f"probe,place=p{n % 3} celsius={n}.5,count={n}i {now_s - n * 600}" for n in range(150)), "s"
    )
    return bucket


def test_a_mirror_runs_on_order_and_is_seen_with_what_it_did(
    serve: Callable[..., Served], influx: InfluxServer, filled: str
) -> None:
    http, _ = serve()
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    ordered = http.post("/mirror/trigger", json={"mirror": "lab"})
    job = ordered.json()["jobs"][0]
    assert (ordered.status_code, ordered.headers["Location"]) == (202, f"/jobs/{job['id']}")
    done = finished(http, job)
    assert (done["state"], done["result"]["state"], done["result"]["pairs"][0]["copied_points"]) == (
        "succeeded",
        "equal",
        300,
    )
    seen = http.get("/mirror/lab").json()
    pair = seen["pairs"][0]
    assert (pair["source"], pair["target"], pair["copied_points"], pair["equal_points"], pair["rejected"]) == (
        filled,
        filled,
        300,
        300,
        0,
    )
    assert pair["slices"]["equal"] > 0
    assert pair["slices"]["different"] == 0
    assert (seen["last_job"], seen["last_job_state"], seen["next_run"], seen["last_error"]) == (
        job["id"],
        "succeeded",
        None,
        None,
    )
    assert http.get("/mirror").json()["mirrors"] == [
        {**seen, "pairs": [{**pair, "lag_s": pytest.approx(pair["lag_s"], abs=60)}]}
    ]


def test_the_slices_of_a_copy_make_a_calendar(serve: Callable[..., Served], influx: InfluxServer, filled: str) -> None:
    http, _ = serve()
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    asked = {"bucket": filled}
    before_any_run = http.get("/mirror/lab/slices", params=asked)
    assert (before_any_run.status_code, before_any_run.json()["code"]) == (404, "not_found")
    finished(http, http.post("/mirror/trigger").json()["jobs"][0])
    listing = http.get("/mirror/lab/slices", params=asked).json()
    slices = listing["slices"]
    assert (listing["source"], listing["target"], listing["slice_s"], listing["before"]) == (
        filled,
        filled,
        86_400.0,
        None,
    )
    assert {(piece["state"], piece["rejected"]) for piece in slices} == {("equal", 0)}
    assert sum(piece["points"] for piece in slices) == 300
    assert [piece["start"] for piece in slices] == sorted((piece["start"] for piece in slices), reverse=True)
    newest = http.get("/mirror/lab/slices", params={**asked, "limit": 1}).json()
    assert newest["slices"] == slices[:1]
    assert newest["before"] == slices[0]["start"]
    older = http.get("/mirror/lab/slices", params={**asked, "before": newest["before"]}).json()
    assert older["slices"] == slices[1:]
    assert http.get("/mirror/lab/slices", params={**asked, "target": "elsewhere"}).status_code == 404
    assert http.get("/mirror/lab/slices", params={**asked, "before": "soon"}).status_code == 422


def test_what_a_mirror_wrote_is_read_at_once(serve: Callable[..., Served], influx: InfluxServer, filled: str) -> None:
    """The cached answer from before is dropped."""
    http, parts = serve()
    parts.store.create_bucket(BucketSpec(filled))
    address = f"/buckets/{filled}?start=2000-01-01T00:00:00Z&stop=2100-01-01T00:00:00Z&every=raw&field=count"
    assert http.get(address).text.count("\n") == 1
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    finished(http, http.post("/mirror/trigger").json()["jobs"][0])
    assert http.get(address).text.count("\n") == 151


def test_metrics_tell_how_far_a_copy_is_how_many_jobs_there_are_and_whether_the_store_answers(
    serve: Callable[..., Served], influx: InfluxServer, filled: str
) -> None:
    http, parts = serve()
    configured(http, plant=by_hand(influx, filled))
    finished(http, http.post("/mirror/trigger", json={}).json()["jobs"][0])
    parts.status_board.refresh()
    page = http.get("/metrics").text
    assert f'fluxgate_mirror_last_success_timestamp_seconds{{bucket="{filled}",mirror="plant"}}' in page
    assert f'fluxgate_mirror_slices{{bucket="{filled}",mirror="plant",state="different"}} 0.0' in page
    assert 'fluxgate_jobs{kind="mirror",state="succeeded"} 1.0' in page
    assert 'fluxgate_store_up{store="embedded"} 1.0' in page
    assert "fluxgate_build_info{version=" in page
    assert "_created" not in page


def test_verify_and_diff_say_what_differs(serve: Callable[..., Served], influx: InfluxServer, filled: str) -> None:
    http, _ = serve()
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    finished(http, http.post("/mirror/trigger").json()["jobs"][0])
    assert finished(http, http.post("/mirror/lab/verify").json())["result"]["equal"] is True
    influx.write(filled, "probe,place=p1 celsius=1 1700000000", "s")
    verdict = finished(http, http.post("/mirror/lab/verify").json())["result"]
    assert (verdict["equal"], verdict["pairs"][0]["differing"]) == (False, ["2023-11-14T00:00:00Z"])
    asked = {"bucket": filled, "start": "2023-11-14T00:00:00Z", "stop": "2023-11-15T00:00:00Z"}
    assert http.get("/mirror/lab/diff", params=asked).json() == {
        "equal": False,
        "hours": 1,
        "complete": True,
        "series": [
            {
                "from": "2023-11-14T22:00:00Z", "measurement": "probe", "tags": {"place": "p1"}, "field": "celsius",
                "type": "double",
                "source_points": 1, "target_points": 0,
            }
        ],
    }  # fmt: skip


def test_a_dry_run_changes_nothing(serve: Callable[..., Served], influx: InfluxServer, filled: str) -> None:
    http, parts = serve()
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    done = finished(http, http.post("/mirror/trigger", json={"mirror": "lab", "dry_run": True}).json()["jobs"][0])
    assert done["state"] == "succeeded"
    assert [bucket.name for bucket in parts.store.buckets()] == []


def test_the_last_job_of_a_mirror_is_one_that_copies(
    serve: Callable[..., Served], influx: InfluxServer, filled: str
) -> None:
    http, _ = serve()
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    job = finished(http, http.post("/mirror/trigger").json()["jobs"][0])
    finished(http, http.post("/mirror/trigger", json={"dry_run": True}).json()["jobs"][0])
    finished(http, http.post("/mirror/lab/verify").json())
    assert http.get("/mirror/lab").json()["last_job"] == job["id"]


def test_a_schedule_of_the_settings_waits_for_a_mirror_that_is_not_there(
    serve: Callable[..., Served], influx: InfluxServer, filled: str
) -> None:
    """A gateway did not start again after such a mirror was taken away over HTTP."""
    nightly = {"kind": "mirror", "parameters": {"mirror": "lab"}, "every": "00:00:01"}
    http, _ = serve(schedules={"nightly": nightly})
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    deadline = time.monotonic() + 20
    while not (jobs := http.get("/jobs?kind=mirror").json()["jobs"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (jobs[0]["schedule"], finished(http, jobs[0])["state"]) == ("nightly", "succeeded")


def test_a_new_mirror_with_a_schedule_runs_without_being_asked(
    serve: Callable[..., Served], influx: InfluxServer, filled: str
) -> None:
    http, _ = serve()
    configured(http, lab={"source": source(influx), "buckets": [filled]}).raise_for_status()
    deadline = time.monotonic() + 20
    while not (jobs := http.get("/jobs?kind=mirror").json()["jobs"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (jobs[0]["schedule"], finished(http, jobs[0])["state"]) == ("mirror lab", "succeeded")


def test_tokens_are_never_shown_and_stay_when_what_was_shown_is_sent_back(
    serve: Callable[..., Served], influx: InfluxServer, filled: str
) -> None:
    http, parts = serve()
    stored = configured(http, lab=by_hand(influx, filled))
    assert influx.token not in stored.text
    shown = http.get("/config/mirrors").json()["value"]
    assert shown["lab"]["source"]["token"] == HIDDEN
    again = http.put("/config/mirrors", json={"lab": {**shown["lab"], "rescan": "14d"}})
    assert again.status_code == 200
    assert parts.config.get("mirrors").value["lab"]["source"]["token"] == influx.token
    elsewhere = http.put(
        "/config/mirrors",
        json={"lab": {**shown["lab"], "source": {**shown["lab"]["source"], "url": "http://elsewhere.test"}}},
    )
    assert elsewhere.status_code == 422
    assert "Write the token" in elsewhere.json()["detail"]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"mirror": "none"}, "There is no mirror 'none'. There are: lab."),
        ({"mirror": "lab", "bucket": "other"}, "The mirror 'lab' does not copy the bucket 'other'."),
        ({"mirror": "lab", "start": "2026-01-01T00:00:00Z"}, "Give start and stop together."),
        (
            {"mirror": "lab", "start": "yesterday", "stop": "2026-01-01T00:00:00Z"},
            "start='yesterday' is not an RFC 3339 time",
        ),
        (
            {"mirror": "lab", "start": "2026-01-02T00:00:00Z", "stop": "2026-01-01T00:00:00Z"},
            "stop is not after start.",
        ),
    ],
    ids=["an unknown mirror", "a bucket it does not copy", "half a range", "no time", "an empty range"],
)
def test_a_wrong_order_is_refused_before_anything_is_queued(
    serve: Callable[..., Served], influx: InfluxServer, filled: str, order: Json, told: str
) -> None:
    http, _ = serve()
    configured(http, lab=by_hand(influx, filled)).raise_for_status()
    refused = http.post("/mirror/trigger", json=order)
    assert refused.status_code == 422
    assert told in refused.json()["detail"]
    assert http.get("/jobs").json()["jobs"] == []


def test_without_a_mirror_the_way_to_one_is_told(http: httpx.Client) -> None:
    refused = http.post("/mirror/trigger")
    assert (refused.status_code, "PUT /config/mirrors" in refused.json()["detail"]) == (422, True)
    assert http.get("/mirror").json() == {"mirrors": []}
    assert http.get("/mirror/lab").status_code == 404


def test_a_key_that_is_limited_to_buckets_orders_no_mirror(serve: Callable[..., Served]) -> None:
    http, parts = serve()
    key = old_key(parts.keys, parts.state, [Scope.MIRROR], ["Lab 1"])
    assert http.post("/mirror/trigger", headers={"X-API-Key": key}).status_code == 403
    assert http.get("/mirror", headers={"X-API-Key": key}).status_code == 403


def test_the_mirror_of_the_settings_is_there_at_once(
    serve: Callable[..., Served], influx: InfluxServer, filled: str
) -> None:
    http, parts = serve(
        influxdb_cloud_url=influx.url,
        influxdb_cloud_token=influx.token,
        influxdb_cloud_org=influx.org,
        cloud_bucket=filled,
        local_bucket="here",
    )
    job = http.get("/jobs?kind=mirror").json()["jobs"] or http.post("/mirror/trigger").json()["jobs"]
    assert finished(http, job[0])["state"] == "succeeded"
    assert [bucket.name for bucket in parts.store.buckets()] == ["here"]


def test_mirrors_of_a_file_are_taken_when_it_changes(
    serve: Callable[..., Served], influx: InfluxServer, filled: str, tmp_path: Path
) -> None:
    file = tmp_path / "mirrors.yaml"
    file.touch()
    http, _ = serve(mirrors_file=file)
    file.write_text(
        f"lab:\n  source: {{url: '{influx.url}', org: test org, token: '{influx.token}'}}\n"
        f"  buckets: ['{filled}']\n  schedule: null\n"
    )
    assert [one["name"] for one in http.get("/mirror").json()["mirrors"]] == ["lab"]
    assert finished(http, http.post("/mirror/trigger").json()["jobs"][0])["state"] == "succeeded"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"mirrors_file": "/no/such/mirrors.yaml"},
            "MIRRORS_FILE names /no/such/mirrors.yaml, and there is no such file",
        ),
        ({**CLOUD, "cloud_schedule": "hourly"}, "CLOUD_SCHEDULE='hourly' is no cron expression"),
        ({**CLOUD, "cloud_refresh": "5m"}, "CLOUD_REFRESH='5m' is not an interval"),
        (
            {**CLOUD, "influxdb_cloud_url": "http://169.254.1.1"},
            "'http://169.254.1.1' cannot be the source of a mirror: 169.254.1.1 is link-local",
        ),
        (
            {**CLOUD, "influxdb_cloud_url": "http://localhost:8086", "mirror_private_addresses": False},
            "localhost is loopback, and only public addresses are allowed here (MIRROR_PRIVATE_ADDRESSES)",
        ),
        (
            {"schedules": {"n": {"kind": "mirrors", "parameters": {"mirror": "x"}, "cron": "* * * * *"}}},
            "SCHEDULES: The schedule 'n': There is no kind of job 'mirrors'",
        ),
    ],
)
def test_settings_of_mirrors_that_cannot_work_are_refused_at_the_start(
    serve: Callable[..., Served], settings: Json, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        serve(**settings)


def test_a_source_bucket_that_is_missing_fails_with_its_name(
    serve: Callable[..., Served], influx: InfluxServer
) -> None:
    http, parts = serve()
    configured(http, lab=by_hand(influx, "no such bucket")).raise_for_status()
    done = finished(http, http.post("/mirror/trigger").json()["jobs"][0])
    assert done["state"] == "failed"
    assert "has no bucket 'no such bucket'. Is it spelled so" in done["error"]["message"]
    assert parts.store.buckets() == []


def test_the_examples_of_the_manual_and_of_the_page_are_taken(
    serve: Callable[..., Served], influx: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manual's schedules named a kind that is none, and no mirror."""
    monkeypatch.setenv("FLUXGATE_TOKEN_SOURCE", influx.token)
    monkeypatch.setenv("FLUXGATE_TOKEN_CLOUD", "the token of a cloud")
    http, parts = serve()
    examples = {section.name: section.example for section in parts.config.sections}
    assert set(examples) == {"connectors", "coordinates", "mirrors", "schedules", "watches", "weather"}
    examples["mirrors"] = {"plant": {**examples["mirrors"]["plant"], "schedule": None}}
    examples["connectors"] = {"cloud": {**examples["connectors"]["cloud"], "enabled": False}}
    for section, value in examples.items():
        assert http.put(f"/config/{section}", json=value).status_code == 200, section
    page = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
    written = json.loads(page.split("```json\n")[1].split("```")[0])
    assert (
        http.put(
            "/config/schedules", json={name: {**one, "enabled": False} for name, one in written.items()}
        ).status_code
        == 200
    )


def test_the_list_on_the_shell_says_what_went_wrong_last(
    serve: Callable[..., Served], influx: InfluxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    http, _ = serve()
    configured(http, lab=by_hand(influx, "no such bucket")).raise_for_status()
    finished(http, http.post("/mirror/trigger").json()["jobs"][0])
    list_mirrors(url=str(http.base_url), key=http.headers["X-API-Key"])
    assert "lab: The source" in (shown := capsys.readouterr().out)
    assert "has no bucket 'no such bucket'" in shown


def test_the_list_on_the_shell_shows_whole_names(
    serve: Callable[..., Served],
    influx: InfluxServer,
    filled: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    http, _ = serve()
    name = "a-mirror-with-a-name-of-forty-characters"
    configured(http, **{name: by_hand(influx, filled)}).raise_for_status()
    finished(http, http.post("/mirror/trigger").json()["jobs"][0])
    list_mirrors(url=str(http.base_url), key=http.headers["X-API-Key"])
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [(row[1].strip(), row[2].strip()) for row in rows] == [(name, filled)]


def test_the_gateways_own_bucket_goes_out_to_an_influxdb(serve: Callable[..., Served], influx: InfluxServer) -> None:
    """Recovery in the other direction."""
    http, parts = serve()
    parts.store.create_bucket(BucketSpec("Here", "from here"))
    write(http, "Here", f"m,t=x v=1i,f=1.5 {NOW_NS}\n")
    there = influx.new_bucket()
    mirror = {
        "source": "store",
        "target": source(influx),
        "buckets": [{"source": "Here", "target": there}],
        "schedule": None,
    }
    configured(http, out=mirror).raise_for_status()
    assert finished(http, http.post("/mirror/trigger").json()["jobs"][0])["result"]["pairs"][0]["copied_points"] == 2
    assert "v" in influx.flux(
        f'from(bucket: "{there}") |> range(start: 2025-12-01T00:00:00Z, stop: 2026-02-01T00:00:00Z)'
    )
