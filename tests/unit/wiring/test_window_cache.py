"""Windows are kept where every writer can tell every reader, and by the settings of the operator."""

from pathlib import Path

import pytest

from service.settings import Settings
from service.wiring import assemble

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


@pytest.mark.parametrize("value", ["2h", '["2h"]', '{"Power": 2}', '{"Power": "2 hours"}', "{"])
def test_settle_times_of_buckets_that_are_none_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cache_settle_buckets"):
        Settings(_env_file=None, cache_settle_buckets=value)  # type: ignore[call-arg, arg-type]
