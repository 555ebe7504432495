"""The buckets of a real InfluxDB as a source: the rows of a read, in an order of their own, and what cannot be read."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from service.domain.timerange import TimeRange
from service.errors import UnreadableText
from service.sources.opening import SourceOpener
from service.sources.rules import SourceRules
from service.sources.store_source import PieceBounds
from service.stores.influx.store import InfluxStore
from tests.support.rows import Row, read, store_all
from tests.support.servers import InfluxServer
from tests.support.sources import DAY, Log, opened, rows_in

pytestmark = pytest.mark.live
START_NS = DAY.start_ns
SECOND_NS = 10**9
MINUTE = TimeRange(START_NS, START_NS + 60 * SECOND_NS)


@pytest.fixture
def bucket(store: InfluxStore, influx_bucket: str) -> Iterator[str]:
    """Sensors of two measurements, with values of every type."""
    lines = [
        f'{measurement},sensor={sensor} v={second}.5,i={second}i,u={second}u,on=true,t="a{second}" '
        f"{START_NS + second * SECOND_NS}"
        for measurement in ("boiler", "tank")
        for sensor in ("c", "a", "b")
        for second in range(60)
    ]
    store_all(store, influx_bucket, "\n".join(lines))
    yield influx_bucket


def rows(store: InfluxStore, bucket: str, window: TimeRange, log: Log | None = None, **members: Any) -> list[Row]:
    opener = SourceOpener(store, SourceRules(), PieceBounds(rows=400))
    with opened(opener, {"store": {"bucket": bucket, **members}}, log) as source:
        source.check()
        return rows_in(source, window)


def test_a_bucket_is_read_exactly_and_in_one_order(store: InfluxStore, bucket: str) -> None:
    found = rows(store, bucket, MINUTE)
    assert sorted(found) == read(store, bucket, MINUTE)
    assert found == rows(store, bucket, MINUTE)
    halves = [TimeRange(*piece) for piece in pairwise((START_NS, START_NS + 17 * SECOND_NS, MINUTE.stop_ns))]
    assert sorted(row for half in halves for row in rows(store, bucket, half)) == sorted(found)


def test_aggregates_of_whole_windows(store: InfluxStore, bucket: str) -> None:
    wide = TimeRange(START_NS, START_NS + 120 * SECOND_NS)
    cuts = (START_NS, START_NS + 10 * SECOND_NS, START_NS + 35 * SECOND_NS, wide.stop_ns)
    members = {"measurement": "tank", "field": "i", "every": "10s", "fn": "sum"}
    pieces = [rows(store, bucket, TimeRange(*piece), **members) for piece in pairwise(cuts)]
    assert [len(piece) for piece in pieces] == [0, 9, 9]  # three sensors, whose windows stop at 10 s, 20 s, 30 s …
    assert sorted(row for piece in pieces for row in piece) == sorted(rows(store, bucket, wide, **members))
    assert {row.shown for row in pieces[1]} == {"45", "145", "245"}


def test_a_measurement_with_a_name_that_is_no_text_is_left_out_by_name(
    store: InfluxStore, influx: InfluxServer, bucket: str
) -> None:
    line = b"odd,k\xff=1 v=1 %d" % START_NS
    with influx.http(30) as http:
        http.post("/api/v2/write", params={"bucket": bucket, "precision": "ns"}, content=line).raise_for_status()
    log = Log()
    assert {row.measurement for row in rows(store, bucket, MINUTE, log)} == {"boiler", "tank"}
    ((level, text),) = log
    assert level == "error"
    assert text.startswith(f"The measurement 'odd' of the bucket {bucket!r} is LEFT OUT.")
    with pytest.raises(UnreadableText):
        rows(store, bucket, MINUTE, measurement="odd")
