"""BUCKETS_FILE makes absent buckets at the start, and PATCH changes one; nothing else touches a bucket that exists."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.app import start_buckets
from service.domain.schema import BucketSpec
from service.errors import ConfigurationError, StoreUnavailable
from service.settings import Settings
from service.wiring import assemble
from service.wiring.buckets import BucketStart
from tests.api.conftest import Served, settings
from tests.support.stores import Through, embedded_store
from tests.support.waiting import until

DAY_NS = 86_400 * 10**9


def buckets_file(folder: Path, *buckets: dict[str, object]) -> Path:
    file = folder / "buckets.json"
    file.write_text(json.dumps(buckets))
    return file


def with_file(folder: Path, *buckets: dict[str, object]) -> Settings:
    return settings(folder / "data", buckets_file=buckets_file(folder, *buckets))


def test_absent_buckets_are_made_at_the_start_and_existing_ones_left_alone(tmp_path: Path) -> None:
    first = with_file(tmp_path, {"name": "Lab", "description": "Bench", "retention": "30d"})
    parts = assemble(first)
    start_buckets(parts, first)
    parts.close()
    second = with_file(tmp_path, {"name": "Lab", "description": "other"}, {"name": "Hall"})
    parts = assemble(second)
    start_buckets(parts, second)
    found = {bucket.name: (bucket.description, bucket.retention_ns) for bucket in parts.store.buckets()}
    parts.close()
    assert found == {"Hall": ("", 0), "Lab": ("Bench", 30 * DAY_NS)}


def test_a_broken_file_stops_the_start_before_anything_is_opened(tmp_path: Path) -> None:
    wrong = with_file(tmp_path, {"name": "Lab", "retention": "never"})
    with pytest.raises(ConfigurationError, match=r"buckets.json: bucket 1 \('Lab'\): retention='never'"):
        assemble(wrong)
    assert not (tmp_path / "data").exists()
    with pytest.raises(ConfigurationError, match=r"BUCKETS_FILE names .* there is no such file"):
        assemble(settings(tmp_path / "data", buckets_file=tmp_path / "none.json"))


def test_a_bucket_that_the_store_cannot_have_stops_the_start(tmp_path: Path) -> None:
    wrong = with_file(tmp_path, {"name": "Lab", "retention": "1s"})
    with pytest.raises(ConfigurationError, match="BUCKETS_FILE: the bucket 'Lab':"):
        start_buckets(assemble(wrong), wrong)


def test_a_store_that_is_away_gets_its_buckets_when_it_answers(tmp_path: Path) -> None:
    store = embedded_store(tmp_path / "store.duckdb")
    answers = [False, False, True]

    def create(spec: BucketSpec) -> bool:
        if not answers.pop(0):
            raise StoreUnavailable("There is no connection.")
        return store.create_bucket(spec)

    start = BucketStart(Through(store, create_bucket=create), [BucketSpec("Lab")], retry_s=0.01)  # type: ignore[arg-type]
    start.start()
    until(lambda: [bucket.name for bucket in store.buckets()] == ["Lab"])
    start.stop()
    store.close()


def test_a_bucket_is_changed_by_what_the_request_names_alone(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("Lab", "Bench", 30 * DAY_NS))
    assert client.patch("/buckets/Lab", json={"description": "Tests"}).json() == {
        "name": "Lab", "description": "Tests", "retention": "30d", "last_point": None, "note": None,
    }  # fmt: skip
    assert client.patch("/buckets/Lab", json={"retention": "90d"}).json()["retention"] == "90d"
    assert client.patch("/buckets/Lab", json={"retention": "inf"}).json()["retention"] is None
    assert client.patch("/buckets/Lab", json={}).json()["description"] == "Tests"
    assert client.get("/buckets").json()["buckets"][0]["description"] == "Tests"


def test_a_wrong_change_is_refused_and_changes_nothing(http: httpx.Client) -> None:
    assert http.patch("/buckets/None", json={"retention": "30d"}).status_code == 404
    for change in ({"retention": "x"}, {"retention": 7}, {"name": "New"}, {"retention": "1s"}):
        assert http.patch("/buckets/Power Consumption", json=change).status_code == 422, change
    kept = http.get("/buckets").json()["buckets"][0]
    assert (kept["description"], kept["retention"]) == ("two meters", None)


def test_new_buckets_may_say_that_they_keep_everything(http: httpx.Client) -> None:
    wanted = [{"name": "a", "retention": "0"}, {"name": "b", "retention": "inf"}]
    assert http.post("/buckets", json=wanted).json()["created"] == ["a", "b"]
    assert [bucket["retention"] for bucket in http.get("/buckets").json()["buckets"]] == [None] * 3
