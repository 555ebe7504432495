"""Blocks become lines that say the same, value for value: one line for each series and time."""

import secrets
import struct
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec, FieldType
from service.domain.selection import Selection
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS
from service.frames.frame import TEXT_CODES, TIME, constant_codes, long_schema
from service.frames.points import Points
from service.lineprotocol.names import Unwritable, quote_field, quote_measurement, quote_tag
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.writer import WrittenBlock, write_block
from service.stores.embedded.store import EmbeddedStore
from service.stores.protocol import WriteOutcome
from tests.support import rows as stored
from tests.support.sample_blocks import Row, Value, block_of, frame, hostile_rows

NOW = 1_700_000_000_000_000_000
A, B = (("host", "a"),), (("host", "b"),)
INTEGER, UNSIGNED, STRING, BOOLEAN = FieldType.INTEGER, FieldType.UNSIGNED, FieldType.STRING, FieldType.BOOLEAN
Fact = tuple[object, ...]


def lines(rows: list[Row]) -> list[str]:
    return text_of(write_block(block_of(rows))).splitlines()


def text_of(result: WrittenBlock) -> str:
    assert result.unwritable == ()
    return result.points.text.decode()


def bits(value: Value) -> object:
    return struct.pack(">d", value) if isinstance(value, float) else value


def facts_of(points: Points) -> list[Fact]:
    """Every value in the order of the columns: its line, series, time, type and bits."""
    return [
        (column.type, int(line), points.keys[key], int(points.times_ns[line]), bits(value))
        for column in points.columns
        for key, line, value in zip(column.keys, column.lines, column.values.to_pylist(), strict=True)
    ]


def value_of(row: Row) -> Fact:
    return (row.measurement, tuple(sorted(row.tags)), row.field, row.type, row.time_ns, bits(row.value))


def values_of(points: Points) -> list[Fact]:
    return [
        (key.measurement, key.tags, key.field, kind, time_ns, value)
        for kind, _, key, time_ns, value in facts_of(points)
    ]  # type: ignore[attr-defined]


def unwritten_of(result: WrittenBlock) -> list[Fact]:
    return [
        (one.series.measurement, one.series.tags, one.series.field, one.series.type, int(time_ns), bits(value))
        for one in result.unwritable
        for time_ns, value in zip(one.times_ns, one.values.to_pylist(), strict=True)
    ]


def writable(row: Row) -> bool:
    try:
        quote_measurement(row.measurement), quote_field(row.field), [quote_tag(*tag) for tag in row.tags]
    except Unwritable:
        return False
    return not isinstance(row.value, float) or bool(np.isfinite(row.value))


def test_all_fields_of_a_series_and_time_stand_in_one_line_whatever_their_types() -> None:
    tags = (("host", "a"), ("region", "x y"))
    rows = [
        Row(NOW, 1.5, "usage", "cpu", tags),
        Row(NOW, 7, "load", "cpu", tags, INTEGER),
        Row(NOW, 8, "up", "cpu", tags, UNSIGNED),
        Row(NOW, True, "ok", "cpu", tags, BOOLEAN),
        Row(NOW, 'a "b" \\', "txt", "cpu", tags, STRING),
    ]
    assert lines(rows) == [
        'cpu,host=a,region=x\\ y usage=1.5,load=7i,up=8u,ok=true,txt="a \\"b\\" \\\\" 1700000000000000000'
    ]


def test_lines_go_by_series_in_order_of_appearance_then_by_time() -> None:
    rows = [Row(2, 1.0, tags=B), Row(3, 2.0, tags=B), Row(1, 3.0, tags=A), Row(2, 4.0, tags=A), Row(1, 5.0)]
    assert lines(rows) == ["m,host=b f=1 2", "m,host=b f=2 3", "m,host=a f=3 1", "m,host=a f=4 2", "m f=5 1"]


def test_a_field_that_is_absent_is_left_out_of_its_line() -> None:
    rows = [Row(1, 1.0, "x"), Row(3, 3.0, "x"), Row(1, 4.0, "y"), Row(2, 5.0, "y")]
    assert lines(rows) == ["m x=1,y=4 1", "m y=5 2", "m x=3 3"]


def test_an_absent_tag_is_left_out_and_is_another_series() -> None:
    rows = [
        Row(1, 1.0, tags=(("a", "1"), ("b", "2"))),
        Row(1, 2.0, tags=(("b", "2"),)),
        Row(1, 3.0, tags=(("a", "1"),)),
    ]
    assert lines(rows) == ["m,a=1,b=2 f=1 1", "m,b=2 f=2 1", "m,a=1 f=3 1"]


def test_names_are_quoted_and_a_tag_may_be_named_like_a_field_or_a_column() -> None:
    rows = [Row(1, 1.0, "a=b", "my m,1", (("_time", "x=y"), ("_value", "1,2"), ("a=b", "c d")))]
    assert lines(rows) == ["my\\ m\\,1,_time=x\\=y,_value=1\\,2,a\\=b=c\\ d a\\=b=1 1"]


def test_times_before_1970_and_at_the_ends_of_time_keep_their_nanoseconds() -> None:
    rows = [Row(EARLIEST_NS, 1, type=INTEGER), Row(-1, 2, type=INTEGER), Row(LATEST_NS, 3, type=INTEGER)]
    assert lines(rows) == ["m f=1i -9223372036854775806", "m f=2i -1", "m f=3i 9223372036854775806"]


def test_a_line_feed_in_a_text_does_not_end_its_line() -> None:
    points = write_block(block_of([Row(1, "a\nb", type=STRING), Row(2, "\n", type=STRING)])).points
    assert points.text == b'm f="a\nb" 1\nm f="\n" 2\n'
    assert points.offsets.tolist() == [0, 12, 22]
    assert (points.numbers.tolist(), points.times_ns.tolist()) == ([1, 2], [1, 2])


def test_measurements_of_one_block_become_points_together() -> None:
    rows = [Row(1, 1.0, "x", "cpu", A), Row(1, 2.0, "y", "disk"), Row(2, 3.0, "x", "disk")]
    result = write_block(block_of(rows))
    assert result.points.text == b"cpu,host=a x=1 1\ndisk y=2 1\ndisk x=3 2\n"
    assert sorted(values_of(result.points)) == sorted(map(value_of, rows))


def test_blocks_of_different_rows_may_be_added() -> None:
    first, second = [Row(2, 1.0, tags=A), Row(2, 2.0, "g", tags=A)], [Row(1, 3.0, tags=A), Row(1, 4.0, tags=B)]
    assert (
        text_of(write_block(block_of(first) + block_of(second)))
        == "m,host=a f=3 1\nm,host=a f=1,g=2 2\nm,host=b f=4 1\n"
    )


def test_a_field_of_two_types_keeps_both_each_at_its_times() -> None:
    assert lines([Row(1, 1.5), Row(2, 7, type=INTEGER), Row(1, 1.0, "g"), Row(2, 2.0, "g")]) == [
        "m f=1.5,g=1 1",
        "m f=7i,g=2 2",
    ]


def test_two_types_of_a_field_at_one_time_are_two_lines() -> None:
    result = write_block(
        block_of(
            [Row(1, 1.0, "e"), Row(1, 1.5), Row(1, 7, type=INTEGER), Row(1, "x", type=STRING), Row(2, 8, type=INTEGER)]
        )
    )
    assert text_of(result) == 'm e=1,f=1.5 1\nm f=7i 1\nm f="x" 1\nm f=8i 2\n'
    assert facts_of(result.points) == facts_of(parse_lines(result.points.text, "ns", 0).points)


def test_frames_that_share_their_buffers_and_sliced_ones_give_their_rows() -> None:
    times = pa.array([1, 2, 1], pa.int64()).cast(TIME)
    hosts = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1], pa.int32()), pa.array(["b", "a"])).cast(TEXT_CODES)

    def shared(field: str, values: list[object]) -> pa.RecordBatch:
        arrays = [times, pa.array(values), constant_codes(field, 3), constant_codes("m", 3), hosts]
        return pa.RecordBatch.from_arrays(arrays, schema=long_schema(FieldType(field), ("host",)))

    block = (shared("float", [1.0, 2.0, 3.0]), shared("boolean", [True, False, True]), shared("string", ["", "x", "y"]))
    expected = [
        'm,host=b float=1,boolean=true,string="" 1',
        'm,host=b float=2,boolean=false,string="x" 2',
        'm,host=a float=3,boolean=true,string="y" 1',
    ]
    assert text_of(write_block(block)).splitlines() == expected
    assert text_of(write_block(tuple(one.slice(1) for one in block))).splitlines() == expected[1:]


def test_a_block_without_rows_is_no_points() -> None:
    for block in ((), (frame([Row(1, 1.0)], ()).slice(0, 0),)):
        points = write_block(block).points
        assert (len(points), points.text, points.offsets.tolist(), points.keys, points.columns) == (0, b"", [0], (), ())


def test_a_value_that_no_line_can_hold_is_handed_back_with_its_time_and_the_rest_goes() -> None:
    rows = [
        Row(1, 1.0, tags=A),
        Row(2, float("nan"), tags=A),
        Row(3, float("inf"), tags=A),
        Row(1, float("nan"), tags=B),
        Row(2, 5.0, "g", tags=A),
    ]
    result = write_block(block_of(rows))
    assert result.points.text == b"m,host=a f=1 1\nm,host=a g=5 2\n"
    assert [
        (one.series.tags, one.series.field, one.reason, one.times_ns.tolist(), len(one)) for one in result.unwritable
    ] == [
        (A, "f", "NaN and infinity cannot be stored", [2, 3], 2),
        (B, "f", "NaN and infinity cannot be stored", [1], 1),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Row(1, 1.0, "time"), "a field cannot be named time"),
        (Row(1, 1.0, "a\nb"), "a field name cannot hold a line feed"),
        (Row(1, 1.0, "f", "#m"), "cannot begin with '#'"),
        (Row(1, 1.0, tags=(("dir", "C:\\"), ("host", "a"))), "backslash where line protocol cannot hold one"),
        (Row(1, 1.0, tags=(("time", "x"),)), "InfluxDB keeps that name"),
        (Row(1, 1.0, tags=(("host", ""),)), "cannot be empty"),
        (Row(1, 1.0, "f" * 65_531), "take more than the 65535 bytes"),
        (Row(2**63 - 1, 1.0), "outside 1677-09-21 to 2262-04-11"),
        (Row(1, "x" * 1_048_577, type=STRING), "a string holds at most 1048576 bytes"),
    ],
    ids=lambda one: "" if isinstance(one, Row) else one,
)
def test_a_series_that_line_protocol_cannot_name_is_handed_back_and_the_others_go(bad: Row, reason: str) -> None:
    good = [Row(1, 2.0, "good", bad.measurement[-1:], B), Row(2, 3.0, "good", bad.measurement[-1:], B)]
    result = write_block(block_of([bad, *good]))
    assert result.points.text == b"m,host=b good=2 1\nm,host=b good=3 2\n"
    [one] = result.unwritable
    assert reason in one.reason
    assert unwritten_of(result) == [value_of(bad)]


def test_the_longest_key_that_a_line_may_have_is_written() -> None:
    result = write_block(block_of([Row(1, 1.0, "f" * 65_530)]))
    assert len(text_of(result)) == len("m =1 1\n") + 65_530
    assert parse_lines(result.points.text, "ns", 0).bad == ()


@settings(max_examples=300)
@given(hostile_rows())
@example([Row(0, 1.0, 'a"b', 'a"b', (('a"b', 'a"b'),)), Row(0, '"', "x", 'a"b', (('a"b', 'a"b'),), STRING)])
@example(
    [Row(0, "x\ny", "g", "a\\\\ b", (("k", 'v\\"'),), STRING), Row(0, "\\", "f", "a\\\\ b", (("k", 'v\\"'),), STRING)]
)
def test_the_lines_say_what_the_rows_say_and_the_columns_what_the_lines_say(rows: list[Row]) -> None:
    result = write_block(block_of(rows))
    parsed = parse_lines(result.points.text, "ns", 0)
    assert parsed.bad == ()
    assert facts_of(result.points) == facts_of(parsed.points)
    assert set(result.points.keys) == set(parsed.points.keys)
    assert result.points.offsets.tolist() == parsed.points.offsets.tolist()
    assert result.points.times_ns.tolist() == parsed.points.times_ns.tolist()
    assert result.points.numbers.tolist() == list(range(1, len(parsed.points) + 1))
    assert sorted(values_of(result.points), key=repr) == sorted(
        (value_of(row) for row in rows if writable(row)), key=repr
    )
    assert sorted(unwritten_of(result), key=repr) == sorted(
        (value_of(row) for row in rows if not writable(row)), key=repr
    )


@given(hostile_rows())
def test_there_is_one_line_for_each_series_and_time(rows: list[Row]) -> None:
    points = write_block(block_of(rows, per_field=False)).points
    series = {
        int(line): (points.keys[key].measurement, points.keys[key].tags)
        for column in points.columns
        for key, line in zip(column.keys, column.lines, strict=True)
    }
    places = [(series[line], int(time_ns)) for line, time_ns in enumerate(points.times_ns)]
    assert len(set(places)) == len(places)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    path = tmp_path_factory.mktemp("folded") / "store.duckdb"
    opened = EmbeddedStore(path, memory_mb=128, threads=1, shard_ns=parse_duration("1w", "shard"), clock=time.time_ns)
    yield opened
    opened.close()


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(hostile_rows())
def test_what_is_folded_is_stored_and_what_is_stored_folds_again(store: EmbeddedStore, rows: list[Row]) -> None:
    types: dict[tuple[str, str], FieldType] = {}
    rows = [
        row for row in rows if writable(row) and types.setdefault((row.measurement, row.field), row.type) is row.type
    ]
    copies = [f"folded {secrets.token_hex(6)}" for _ in range(2)]
    for name in copies:
        store.create_bucket(BucketSpec(name))
    points = write_block(block_of(rows)).points
    assert store.write(copies[0], points) == WriteOutcome(len(points))
    for block in store.read(Selection(copies[0], EVER, complete_rows=True)).blocks:
        store.write(copies[1], write_block(block).points)
    expected = sorted(
        stored.row(row.measurement, dict(row.tags), row.field, row.time_ns, row.value, row.type.value) for row in rows
    )
    assert stored.read(store, copies[0], EVER) == stored.read(store, copies[1], EVER) == expected
