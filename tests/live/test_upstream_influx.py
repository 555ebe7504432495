"""A real InfluxDB as an upstream: line protocol is taken exactly, and one value that it refuses is found."""

import time

import pytest

from service.domain.schema import FieldType
from service.errors import UpstreamStopped
from service.upstream.config import Upstream
from service.upstream.sink import HttpSink, open_sink
from tests.support.run_controls import ClockedControl
from tests.support.sample_blocks import Row
from tests.support.servers import InfluxServer
from tests.support.upstream_batches import batch_of, configured

pytestmark = pytest.mark.live
START_NS = 1_704_067_200_000_000_000
ROWS = [
    Row(START_NS + index, index + 0.5, f"f{index % 3}", "climate", (("room", f"n {index % 5}"),))
    for index in range(500)
]


def write_api(influx: InfluxServer, bucket: str, token: str | None = None) -> Upstream:
    return configured(
        f"{influx.url}/api/v2/write",
        query={"org": influx.org, "bucket": bucket, "precision": "ns"},
        payload="lineprotocol",
        gzip=True,
        auth={"kind": "header", "name": "Authorization", "token": f"Token {token or influx.token}"},
        idempotency={"by": "upsert"},
    )


def opened(upstream: Upstream) -> HttpSink:
    control = ClockedControl()
    return open_sink(upstream, control, control.log, monotonic=time.monotonic)


def stored_values(influx: InfluxServer, bucket: str) -> set[tuple[str, str]]:
    """Field and value of every point, as InfluxDB's own CSV has them."""
    query = f'from(bucket: "{bucket}") |> range(start: 0) |> keep(columns: ["_field", "_value"]) |> group()'
    rows = [line.split(",") for line in influx.flux(query).splitlines() if line and not line.startswith("#")]
    field, value = rows[0].index("_field"), rows[0].index("_value")
    return {(row[field], row[value]) for row in rows[1:]}


def test_every_value_arrives(influx: InfluxServer) -> None:
    bucket = influx.new_bucket()
    with opened(write_api(influx, bucket)) as sink:
        delivered = sink.deliver(batch_of(ROWS))
        again = sink.deliver(batch_of(ROWS))
    assert (delivered.accepted, delivered.posts, delivered.refused) == (500, 1, 0)
    assert again.accepted == 500
    assert stored_values(influx, bucket) == {(row.field, f"{row.value:g}") for row in ROWS}


def test_a_value_of_another_type_is_found_and_all_others_arrive(influx: InfluxServer) -> None:
    bucket = influx.new_bucket()
    influx.write(bucket, f"climate,room=n\\ 1 f9=1.5 {START_NS}")
    odd = Row(START_NS + 77, "text", "f9", "climate", (("room", "n 1"),), FieldType.STRING)
    with opened(write_api(influx, bucket)) as sink:
        delivered = sink.deliver(batch_of([*ROWS, odd]))
    assert [(letter["field"], letter["value"], letter["status"]) for letter in delivered.dead_letters] == [
        ("f9", "text", 422)
    ]
    assert delivered.accepted == 500
    assert stored_values(influx, bucket) == {(row.field, f"{row.value:g}") for row in ROWS} | {("f9", "1.5")}


@pytest.mark.parametrize(("bucket", "token"), [("no such bucket", None), ("any", "wrong")])
def test_a_wrong_bucket_and_a_wrong_token_want_a_human(influx: InfluxServer, bucket: str, token: str | None) -> None:
    with opened(write_api(influx, bucket, token)) as sink, pytest.raises(UpstreamStopped, match=r"answered 40[14]"):
        sink.deliver(batch_of(ROWS))
