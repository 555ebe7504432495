"""Windows are kept where every writer can tell every reader, and by the settings of the operator."""

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.jobs.mirror.lateness import store_key
from service.jobs.mirror.tables import mirror_lateness
from service.settings import Settings
from service.wiring import assemble
from service.wiring.reads import read_limits
from service.wiring.stores import served_endpoint

MINUTE_NS, DAY_NS = 60_000_000_000, 86_400_000_000_000
BROKER = {
    "celery_broker_url": "redis://127.0.0.1:1/1",
    "influxdb_url": "http://127.0.0.1:1",
    "influxdb_token": "token",
    "influxdb_org": "org",
}


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, True),
        ({"cache_windows": False}, False),
        ({"cache_memory_mb": 0}, False),
        ({**BROKER}, False),
        ({**BROKER, "redis_url": "redis://127.0.0.1:1/0"}, True),
    ],
)
def test_windows_are_kept_where_all_writes_are_heard(tmp_path: Path, changed: dict[str, object], kept: bool) -> None:
    parts = assemble(Settings(_env_file=None, data_dir=tmp_path, **changed))  # type: ignore[call-arg, arg-type]
    try:
        assert (parts.windows is not None) == kept
    finally:
        parts.close()


@pytest.mark.parametrize(
    ("changed", "stale_s"),
    [
        ({}, 0),
        ({"cache_stale_s": 60}, 60),
        ({"cache_stale_s": 60, "cache_memory_mb": 0}, 0),
        ({"cache_stale_s": 60, **BROKER}, 0),
        ({"cache_stale_s": 60, **BROKER, "redis_url": "redis://127.0.0.1:1/0"}, 60),
    ],
)
def test_stale_answers_are_served_where_all_writes_are_heard(changed: dict[str, object], stale_s: float) -> None:
    assert read_limits(Settings(_env_file=None, **changed)).cache_stale_s == stale_s  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize("value", ["2h", '["2h"]', '{"Power": 2}', '{"Power": "2 hours"}', "{"])
def test_settle_times_of_buckets_that_are_none_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cache_settle_buckets"):
        Settings(_env_file=None, cache_settle_buckets=value)  # type: ignore[call-arg, arg-type]


def test_a_settle_time_follows_what_mirrors_measured(tmp_path: Path) -> None:
    """A setting of the bucket wins, and CACHE_SETTLE_MOST bounds the rest."""
    chosen = Settings(_env_file=None, data_dir=tmp_path, cache_settle_buckets='{"Set": "5m"}', cache_settle_most="3h")  # type: ignore[call-arg, arg-type]
    late = {"Late": 40 * MINUTE_NS, "Later": 2 * DAY_NS, "Set": 40 * MINUTE_NS, "Slightly": MINUTE_NS}
    store, day = store_key(served_endpoint(chosen)), int(time.time() // 86_400)
    before = assemble(chosen)
    with before.state.write() as connection:
        for bucket, late_ns in late.items():
            row = {"store": store, "bucket": bucket, "day": day, "late_ns": late_ns}
            connection.execute(sa.insert(mirror_lateness).values(row))
    before.close()
    parts = assemble(chosen)
    try:
        assert parts.windows is not None
        minutes = {name: parts.windows.limits.settle_of(name) / MINUTE_NS for name in (*late, "Other")}
    finally:
        parts.close()
    assert minutes == {"Late": 60, "Later": 180, "Set": 5, "Slightly": 10, "Other": 10}
