"""Writing to a real InfluxDB: every refused line is named exactly, and everything else is stored."""

import time
from collections.abc import Iterator

import pytest

from service.domain.schema import Bucket
from service.errors import StoreUnavailable, UnknownBucket
from service.frames.points import Points
from service.lineprotocol.parser import parse_lines
from service.stores.influx.transport import Transport
from service.stores.influx.writing import BATCH_LINES, write_points
from service.stores.protocol import WriteOutcome
from tests.support.influxql_rows import stored_in
from tests.support.servers import InfluxServer, free_port

pytestmark = pytest.mark.live
HOUR_NS, WEEK_NS = 3_600_000_000_000, 7 * 86_400_000_000_000
T0_NS = 1_699_920_000_000_000_000


@pytest.fixture
def transport(influx: InfluxServer) -> Iterator[Transport]:
    opened = Transport(influx.url, influx.token, influx.org)
    yield opened
    opened.close()


def points_of(*lines: str) -> Points:
    parsed = parse_lines("\n".join(lines).encode(), "ns", T0_NS)
    assert parsed.bad == ()
    return parsed.points


def write(transport: Transport, name: str, *lines: str, shard_ns: int = WEEK_NS) -> WriteOutcome:
    return write_points(transport, Bucket(name, "", 0, shard_ns), points_of(*lines))


def refused(outcome: WriteOutcome) -> list[tuple[int, str]]:
    return [(refusal.line, refusal.code) for refusal in outcome.refused]


def count(influx: InfluxServer, bucket: str) -> int:
    return len(stored_in(influx, bucket))


def test_everything_is_stored_over_many_batches_and_shard_groups(
    influx: InfluxServer, influx_bucket: str, transport: Transport
) -> None:
    lines = [
        f"m,t={number % 7} f={number} {T0_NS + (number % 3) * WEEK_NS + number}" for number in range(BATCH_LINES + 500)
    ]
    assert write(transport, influx_bucket, *lines) == WriteOutcome(len(lines))
    assert count(influx, influx_bucket) == len(lines)


def test_of_two_values_of_one_point_the_later_line_counts(
    influx: InfluxServer, influx_bucket: str, transport: Transport
) -> None:
    write(transport, influx_bucket, f"m f=1 {T0_NS}", f"m f=9 {T0_NS + WEEK_NS}", f"m f=2 {T0_NS}")
    assert stored_in(influx, influx_bucket)[("m", (), "f", T0_NS)] == 2.0


def test_several_type_conflicts_in_one_batch_are_each_named(
    influx: InfluxServer, influx_bucket: str, transport: Transport
) -> None:
    outcome = write(
        transport,
        influx_bucket,
        f'm f=1.5,g="x" {T0_NS}',
        f"m f=2i {T0_NS + 1}",
        f"m g=t {T0_NS + 2}",
        f"other f=3i {T0_NS + 3}",
        f"m f=4.5,g=5i {T0_NS + 4}",
        f"m f=6.5 {T0_NS + 5}",
        f"m,t=a f=7u {T0_NS + 6}",
        f"m h=1,h=2i {T0_NS + 7}",
    )
    assert refused(outcome) == [(line, "type_conflict") for line in (2, 3, 5, 7, 8)]
    assert outcome.stored == 3
    assert count(influx, influx_bucket) == 4
    assert outcome.refused[0].reason.startswith("The field 'f' of 'm' is float in the store and integer in this line;")


def test_a_conflict_in_a_hostile_name_is_found(influx: InfluxServer, influx_bucket: str, transport: Transport) -> None:
    hostile = 'm\\ "é\u2028,t=a f\\ "\\=dropped\\=7'
    outcome = write(
        transport, influx_bucket, f"{hostile}=1 {T0_NS}", f"{hostile}=1i {T0_NS + 1}", f"{hostile}=2 {T0_NS + 2}"
    )
    assert (outcome.stored, refused(outcome)) == (2, [(2, "type_conflict")])


def test_types_are_held_against_each_shard_group_by_itself(
    influx: InfluxServer, influx_bucket: str, transport: Transport
) -> None:
    outcome = write(
        transport,
        influx_bucket,
        f"m f=1 {T0_NS}",
        f"m f=2i {T0_NS + WEEK_NS}",
        f"m f=3i {T0_NS + 1}",
        f"m f=4 {T0_NS + WEEK_NS + 1}",
    )
    assert (outcome.stored, refused(outcome)) == (2, [(3, "type_conflict"), (4, "type_conflict")])


def test_lines_are_named_also_when_the_shard_groups_are_not_where_we_think(
    influx: InfluxServer, transport: Transport
) -> None:
    bucket = influx.new_bucket(shard_s=3600)
    lines = [f"m f=1 {T0_NS}", f"m f=1i {T0_NS + HOUR_NS}"] + [
        f"m f={number}{'i' if number % 2 else ''} {T0_NS + (number % 3) * HOUR_NS + number}" for number in range(2, 20)
    ]
    outcome = write(transport, bucket, *lines, shard_ns=WEEK_NS)
    group_types: dict[int, bool] = {}
    expected = []
    for place, line in enumerate(lines):
        value, at = line.split()[1], int(line.split()[2])
        if group_types.setdefault((at - T0_NS) // HOUR_NS, value.endswith("i")) != value.endswith("i"):
            expected.append(place + 1)
    assert [line for line, _ in refused(outcome)] == expected
    assert outcome.stored == len(lines) - len(expected)


def test_lines_outside_the_retention_are_named(influx: InfluxServer, transport: Transport) -> None:
    bucket, now_ns = influx.new_bucket(retention_s=7200), time.time_ns()
    outcome = write(
        transport,
        bucket,
        f"m f=1 {now_ns}",
        f"m f=1 {now_ns - 5 * HOUR_NS}",
        f"m f=2 {now_ns - 1}",
        "m f=3 0",
        shard_ns=HOUR_NS,
    )
    assert (outcome.stored, refused(outcome)) == (2, [(2, "outside_retention"), (4, "outside_retention")])
    assert "the bucket keeps 2h0m0s" in outcome.refused[0].reason
    assert count(influx, bucket) == 2


def test_retention_and_conflicts_together_are_named(influx: InfluxServer, transport: Transport) -> None:
    bucket, now_ns = influx.new_bucket(retention_s=7200), time.time_ns()
    lines = (f"m f=1 {now_ns}", f"m f=1i {now_ns + 1}", f"m f=1i {now_ns - 9 * HOUR_NS}", f"m f=2 {now_ns + 2}")
    for shard_ns in (HOUR_NS, WEEK_NS):
        outcome = write(transport, bucket, *lines, shard_ns=shard_ns)
        assert (outcome.stored, refused(outcome)) == (2, [(2, "type_conflict"), (3, "outside_retention")])


def test_a_write_that_is_refused_whole_stores_nothing(
    influx: InfluxServer, influx_bucket: str, transport: Transport
) -> None:
    write(transport, influx_bucket, f"m f=1 {T0_NS}")
    outcome = write(transport, influx_bucket, *[f"m f={number}i {T0_NS + number}" for number in range(1, 300)])
    assert (outcome.stored, refused(outcome)) == (0, [(number, "type_conflict") for number in range(1, 300)])
    assert count(influx, influx_bucket) == 1


def test_no_points_are_stored_without_asking(transport: Transport) -> None:
    assert write(transport, "there is no such bucket") == WriteOutcome(0)


def test_an_unknown_bucket_is_said(transport: Transport) -> None:
    with pytest.raises(UnknownBucket):
        write(transport, "there is no such bucket", "m f=1 1")


def test_a_server_that_is_gone_is_said_with_what_was_stored() -> None:
    gone = Transport(f"http://127.0.0.1:{free_port()}", "token", "org")
    with pytest.raises(
        StoreUnavailable, match="0 of 1 lines are known to be stored; sending all of them again is safe"
    ):
        write(gone, "b", "m f=1 1")
    gone.close()
