"""Batches for an upstream, made of plain rows, and what it should have of them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from service.domain.timerange import TimeRange
from service.upstream.config import Upstream, UpstreamText
from service.upstream.protocol import Batch
from tests.support.sample_blocks import Row, block_of
from tests.support.upstream_payloads import Value, value_of

HOUR_NS = 3_600_000_000_000
WINDOW = TimeRange(0, HOUR_NS)


def configured(url: str = "http://127.0.0.1:9/points", **members: Any) -> Upstream:
    """The upstream that such a configuration means."""
    return UpstreamText(url=url, **members).to_upstream("plant")


def batch_of(rows: Sequence[Row], window: TimeRange = WINDOW, number: int = 0) -> Batch:
    return Batch(window, number, block_of(list(rows)))


def readings(count: int, sensors: int = 10, start_ns: int = 0) -> list[Row]:
    """Floats of several sensors, one a second for each of them: value i is i + 0.5."""
    per_sensor = math.ceil(count / sensors)
    return [
        Row(start_ns + index % per_sensor * 1_000_000_000, index + 0.5, f"s{index // per_sensor:03d}")
        for index in range(count)
    ]


def sensor(row: Row) -> str:
    """The name by the default template."""
    return f"{row.measurement}.{row.field}"


def expected(rows: Iterable[Row]) -> set[Value]:
    """What an upstream with the default template has when it accepted these rows."""
    return {value_of(sensor(row), row.time_ns, row.value) for row in rows}
