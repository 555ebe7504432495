"""Every road by which the gateway writes drops the answers about what it wrote, once, and no others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from service import demo
from service.api.deps import Parts
from service.domain.timerange import EVER, TimeRange
from service.stores.observed import BucketChange, ObservedStore
from service.wiring import assemble
from tests.api.conftest import NOW_NS, Served, settings, write

HOUR = {"window": "1h", "every": "raw", "format": "csv"}
SECOND_NS = 1_000_000_000
ServeParts = Callable[[Parts], httpx.Client]


@pytest.fixture
def two_buckets(serve: Callable[..., Served]) -> Served:
    http, parts = serve()
    http.post("/buckets", json=[{"name": "a"}, {"name": "b"}]).raise_for_status()
    for bucket in "ab":
        write(http, bucket, f"m v=1i {NOW_NS - 60 * SECOND_NS}").raise_for_status()
    return http, parts


def outcome(http: httpx.Client, bucket: str) -> str:
    """How the cache answers a read of the last hour."""
    return http.get(f"/buckets/{bucket}", params=HOUR).raise_for_status().headers["X-Fluxgate-Cache"].partition(";")[0]


def kept(http: httpx.Client, bucket: str) -> None:
    """Have the answer in the cache."""
    for _ in range(200):
        if outcome(http, bucket) == "hit":
            return
    raise AssertionError("the answer is never kept")


@pytest.mark.parametrize(
    ("lines", "parameters", "status"),
    [
        (f"m v=2i {NOW_NS - 50 * SECOND_NS}", {}, 200),
        (f"m v=2.5 {NOW_NS - 50 * SECOND_NS}", {}, 422),
        (f"m v=2.5 {NOW_NS - 50 * SECOND_NS}\nm v=2i {NOW_NS - 40 * SECOND_NS}", {"partial": "true"}, 200),
    ],
    ids=["stored", "refused by the store", "partly stored"],
)
def test_a_write_drops_the_answers_about_its_bucket_alone(
    two_buckets: Served,
    lines: str,
    parameters: dict[str, str],
    status: int,
) -> None:
    http, _ = two_buckets
    kept(http, "a")
    kept(http, "b")
    assert write(http, "a", lines, **parameters).status_code == status
    assert (outcome(http, "a"), outcome(http, "b")) == ("miss", "hit")


def test_lines_that_do_not_parse_reach_no_store_and_drop_nothing(two_buckets: Served) -> None:
    http, _ = two_buckets
    kept(http, "a")
    assert write(http, "a", "nonsense").status_code == 422
    assert outcome(http, "a") == "hit"


def test_the_demo_drops_the_answers_about_what_it_writes(serve: Callable[..., Served]) -> None:
    http, parts = serve()
    demo.fill_if_empty(parts.store, NOW_NS)
    kept(http, "Weather")
    demo.Simulator(parts.store, 5.0, lambda: NOW_NS + SECOND_NS).write_once()
    assert outcome(http, "Weather") == "miss"


def test_http_writes_and_new_buckets_are_told_once(tmp_path: Path, serve_parts: ServeParts) -> None:
    changes: list[BucketChange] = []
    parts = assemble(settings(tmp_path))
    http = serve_parts(replace(parts, store=ObservedStore(parts.store, [changes.append])))
    http.post("/buckets", json=[{"name": "a"}, {"name": "b"}, {"name": "a"}]).raise_for_status()
    assert changes == [BucketChange("a", (EVER,)), BucketChange("b", (EVER,))]
    changes.clear()
    write(http, "a", "m v=1i 7\nm v=2i 5").raise_for_status()
    assert changes == [BucketChange("a", (TimeRange(5, 8),))]
