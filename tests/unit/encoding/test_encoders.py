"""Every format gives back exactly the rows that went in, whatever the names and values."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from service.domain.schema import FieldType
from service.domain.selection import ReadPlan
from service.domain.timerange import format_time
from service.encoding.encoders import Column, Format, Role, Shape, columns, encode
from service.errors import StoreBroken
from service.frames.frame import Block
from tests.support.sample_blocks import Row, block_of, hostile_rows, layout, plan_of

Cells = dict[str, object]


def csv_cell(row: Row) -> str:
    if row.type is FieldType.FLOAT:
        value = float(row.value)
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        return repr(value)
    return str(row.value).lower() if row.type is FieldType.BOOLEAN else str(row.value)


def json_cell(row: Row) -> object:
    return None if isinstance(row.value, float) and not math.isfinite(row.value) else row.value


def label(column: Column, row: Row) -> str | None:
    if column.role is Role.TAG:
        return dict(row.tags).get(column.source)
    return {Role.MEASUREMENT: row.measurement, Role.FIELD_NAME: row.field}[column.role]


def holds(column: Column, row: Row) -> bool:
    """Whether `row`'s value belongs into the column."""
    if column.role is Role.VALUE:
        return column.type in (None, row.type)
    return column.role is Role.FIELD and (column.source, column.type) == (row.field, row.type)


def expected(rows: list[Row], shape: Shape, form: Format) -> list[dict[str, object]]:
    """The rows of the answer as {column: time in ns, label, or Row whose value it is}, absent ones left out."""
    names = columns(plan_of(rows), shape, form)
    found: dict[object, dict[str, object]] = {}
    for number, row in enumerate(rows):
        key = number if shape is Shape.LONG else (row.measurement, row.tags, row.time_ns)
        cells = found.setdefault(key, {})
        for column in names:
            if column.role is Role.TIME:
                cells[column.name] = row.time_ns
            elif column.role in (Role.VALUE, Role.FIELD):
                cells.update({column.name: row} if holds(column, row) else {})
            elif (text := label(column, row)) is not None:
                cells[column.name] = text
    return list(found.values())


def text_cells(cells: dict[str, object], write: Callable[[Row], object]) -> Cells:
    return {
        name: format_time(value) if isinstance(value, int) else write(value) if isinstance(value, Row) else value
        for name, value in cells.items()
    }


def answer(rows: list[Row], form: Format, shape: Shape, per_field: bool = True) -> bytes:
    return b"".join(encode(iter([block_of(rows, per_field)]), plan_of(rows), layout(form, shape)))


def same(found: list[Cells], wanted: list[Cells]) -> bool:
    """Equal with types and signs told apart, in any order of rows (the order has tests of its own)."""
    return sorted(repr(sorted(row.items())) for row in found) == sorted(repr(sorted(row.items())) for row in wanted)


both_shapes = pytest.mark.parametrize("shape", [Shape.LONG, Shape.WIDE])
"""Those whose columns follow from the plan; test_table_rows is about the third."""


@both_shapes
@given(rows=hostile_rows())
def test_csv_reads_back_as_the_same_cells(shape: Shape, rows: list[Row]) -> None:
    text = answer(rows, Format.CSV, shape).decode()
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    assert header == [column.name for column in columns(plan_of(rows), shape, Format.CSV)]
    wanted = [text_cells(cells, csv_cell) for cells in expected(rows, shape, Format.CSV)]
    floats = {column.name for column in columns(plan_of(rows), shape, Format.CSV) if column.type is FieldType.FLOAT}
    if FieldType.FLOAT in {row.type for row in rows}:
        floats.add("_value")
    found = [as_numbers(dict(zip(header, line, strict=True)), floats) for line in lines]
    assert same(found, [as_numbers({name: cells.get(name, "") for name in header}, floats) for cells in wanted])


def as_numbers(cells: Cells, floats: set[str]) -> Cells:
    """Cells of float columns as Python prints them: which of two exact spellings is taken does not matter here."""
    return {name: canonical(str(text)) if name in floats else text for name, text in cells.items()}


def canonical(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


@both_shapes
@pytest.mark.parametrize("form", [Format.JSON, Format.NDJSON])
@given(rows=hostile_rows())
def test_json_reads_back_as_the_same_rows(form: Format, shape: Shape, rows: list[Row]) -> None:
    text = answer(rows, form, shape).decode()
    found = json.loads(text)["rows"] if form is Format.JSON else [json.loads(line) for line in text.split("\n")[:-1]]
    assert same(found, [text_cells(cells, json_cell) for cells in expected(rows, shape, form)])


@both_shapes
@pytest.mark.parametrize("form", [Format.PARQUET, Format.ARROW, Format.ARROW_FILE])
@pytest.mark.parametrize("per_field", [True, False])
@given(rows=hostile_rows())
def test_columns_read_back_as_the_same_values(form: Format, shape: Shape, per_field: bool, rows: list[Row]) -> None:
    table = opened(answer(rows, form, shape, per_field), form)
    names = [column.name for column in columns(plan_of(rows), shape, form)]
    assert table.column_names == names
    table = table.set_column(0, "_time", table.column(0).cast(pa.int64()))
    found = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
    wanted = [
        {name: value.value if isinstance(value, Row) else value for name, value in cells.items()}
        for cells in expected(rows, shape, form)
    ]
    assert same(found, wanted)


def opened(data: bytes, form: Format) -> pa.Table:
    if form is Format.PARQUET:
        return pq.read_table(io.BytesIO(data))
    return (pa.ipc.open_file(data) if form is Format.ARROW_FILE else pa.ipc.open_stream(data)).read_all()


def lines(
    form: Format = Format.CSV,
    shape: Shape = Shape.LONG,
    zone: str = "UTC",
    rows: list[Row] | None = None,
    limit: int | None = None,
) -> str:
    some = TWO_HOSTS if rows is None else rows
    blocks = iter([block_of(some)] if some else [])
    return b"".join(encode(blocks, plan_of(some), layout(form, shape, zone), limit)).decode()


TWO_HOSTS = [
    Row(0, 7.0, "power", "cpu", (("host", "a"),)),
    Row(1_500_000_000, -0.0, "power", "cpu", (("host", "a"),)),
    Row(0, 0.1, "power", "cpu", (("host", "b,1"),)),
    Row(0, "", "state", "cpu", (("host", "a"),), FieldType.STRING),
]


def test_long_csv_looks_like_this() -> None:
    assert lines() == (
        "_time,_value,_field,_measurement,host\n"
        "1970-01-01T00:00:00Z,7,power,cpu,a\n"
        "1970-01-01T00:00:01.500000000Z,-0,power,cpu,a\n"
        '1970-01-01T00:00:00Z,0.1,power,cpu,"b,1"\n'
        '1970-01-01T00:00:00Z,"",state,cpu,a\n'
    )


def test_wide_csv_looks_like_this() -> None:
    assert lines(shape=Shape.WIDE) == (
        "_time,_measurement,host,power,state\n"
        '1970-01-01T00:00:00Z,cpu,a,7,""\n'
        "1970-01-01T00:00:01.500000000Z,cpu,a,-0,\n"
        '1970-01-01T00:00:00Z,cpu,"b,1",0.1,\n'
    )


def test_json_looks_like_this() -> None:
    assert lines(Format.JSON, zone="Europe/Berlin", limit=2) == (
        '{"bucket":"Power Consumption","start":"1970-01-01T01:00:00+01:00",'
        '"stop":"1970-01-01T02:00:00+01:00","every":"raw","rows":[\n'
        '{"_time":"1970-01-01T01:00:00+01:00","_value":7.0,"_field":"power","_measurement":"cpu","host":"a"},\n'
        '{"_time":"1970-01-01T01:00:01.500000000+01:00","_value":-0.0,"_field":"power","_measurement":"cpu","host":"a"}\n'
        '],"truncated":true}\n'
    )


def test_wide_ndjson_leaves_out_what_is_absent() -> None:
    assert lines(Format.NDJSON, Shape.WIDE).split("\n")[1] == (
        '{"_time":"1970-01-01T00:00:01.500000000Z","_measurement":"cpu","host":"a","power":-0.0}'
    )


def test_an_empty_read_is_a_header_an_empty_list_or_an_empty_table() -> None:
    assert lines(rows=[]) == "_time,_value,_field,_measurement\n"
    assert json.loads(lines(Format.JSON, rows=[]))["rows"] == []
    assert lines(Format.NDJSON, rows=[]) == ""
    for form in (Format.PARQUET, Format.ARROW, Format.ARROW_FILE):
        table = opened(b"".join(encode(iter([]), plan_of(TWO_HOSTS), layout(form, Shape.WIDE))), form)
        assert table.num_rows == 0
        assert table.column_names == ["_time", "_measurement", "host", "power", "state"]


@pytest.mark.parametrize(("limit", "rows", "truncated"), [(0, 0, True), (3, 3, True), (4, 4, False), (9, 4, False)])
def test_a_limit_cuts_exactly_and_json_says_whether_it_did(limit: int, rows: int, truncated: bool) -> None:
    document = json.loads(lines(Format.JSON, limit=limit))
    assert (len(document["rows"]), document["truncated"]) == (rows, truncated)
    assert lines(limit=limit).count("\n") == 1 + rows


def test_json_without_a_limit_says_nothing_of_truncation() -> None:
    assert "truncated" not in json.loads(lines(Format.JSON))


def test_no_block_is_taken_beyond_the_limit() -> None:
    block = block_of([Row(0, 1.0), Row(1, 2.0)])

    def blocks() -> Iterator[Block]:
        yield block
        raise AssertionError("a block too many")

    assert b"".join(encode(blocks(), plan_of([Row(0, 1.0)]), layout(Format.CSV), limit=2)).count(b"\n") == 3


@pytest.mark.parametrize("form", list(Format))
def test_a_broken_read_passes_its_error_on_and_closes_nothing(form: Format) -> None:
    rows = [Row(0, 1.0)]

    def blocks() -> Iterator[Block]:
        yield block_of(rows)
        raise StoreBroken("cut off")

    chunks, sent = encode(blocks(), plan_of(rows), layout(form)), b""
    with pytest.raises(StoreBroken, match="cut off"):
        for chunk in chunks:
            sent += chunk
    whole = b"".join(encode(iter([block_of(rows)]), plan_of(rows), layout(form)))
    assert whole.startswith(sent)
    assert form in (Format.CSV, Format.NDJSON) or form.of_points or len(sent) < len(whole)


@pytest.mark.parametrize("form", [form for form in Format if form not in (Format.PARQUET, Format.XLSX)])
def test_the_rows_of_the_first_block_go_out_before_the_second_is_asked_for(form: Format) -> None:
    asked = []

    def blocks() -> Iterator[Block]:
        for number in range(2):
            asked.append(number)
            yield block_of([Row(number, 1.0)])

    first = next(encode(blocks(), plan_of([Row(0, 1.0)]), layout(form)))
    assert asked == [0]
    assert len(first) >= (8 if form is Format.LINE_PROTOCOL else 60)


@pytest.mark.parametrize("form", [form for form in Format if not form.of_points])
@both_shapes
def test_what_the_plan_does_not_hold_is_refused_not_dropped(form: Format, shape: Shape) -> None:
    rows = [Row(0, 1, type=FieldType.INTEGER)]
    if shape is Shape.LONG and not form.columnar:
        rows = [Row(0, 1.0, tags=(("new", "x"),))]
    with pytest.raises(StoreBroken, match="during the read"):
        list(encode(iter([block_of(rows)]), plan_of([Row(0, 1.0)]), layout(form, shape)))


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.XLSX and not form.of_points])
@both_shapes
def test_large_frames_leave_in_bounded_chunks_with_every_row(form: Format, shape: Shape) -> None:
    rows = [Row(number, float(number), tags=(("host", "h" * 40),)) for number in range(40_000)]
    chunks = list(encode(iter([block_of(rows)]), plan_of(rows), layout(form, shape)))
    assert max(map(len, chunks)) < 4 * 1024 * 1024
    if form.columnar:
        assert opened(b"".join(chunks), form).num_rows == 40_000
    else:
        assert b"".join(chunks).count(b"_time" if form is not Format.CSV else b"\n") == 40_000 + (form is Format.CSV)


def test_long_texts_are_cut_into_pieces_by_their_bytes() -> None:
    rows = [Row(number, "x" * 200_000, type=FieldType.STRING) for number in range(50)]
    chunks = list(encode(iter([block_of(rows)]), plan_of(rows), layout(Format.JSON)))
    assert max(map(len, chunks)) < 4 * 1024 * 1024
    assert [len(row["_value"]) for row in json.loads(b"".join(chunks))["rows"]] == [200_000] * 50


def test_slices_of_a_frame_are_written_as_what_they_show() -> None:
    whole = block_of(TWO_HOSTS)
    for form in (Format.CSV, Format.NDJSON):
        cut = tuple(frame.slice(1) for frame in whole)
        assert (
            b"".join(encode(iter([cut]), plan_of(TWO_HOSTS), layout(form))).decode().split("\n")[-3:-1]
            == lines(form).split("\n")[-4:-2]
        )


def test_a_plan_without_measurements_has_the_fixed_columns() -> None:
    assert [column.name for column in columns(ReadPlan(()), Shape.LONG, Format.PARQUET)] == [
        "_time",
        "_value",
        "_field",
        "_measurement",
    ]


def test_nothing_goes_out_before_the_first_block_even_if_the_header_is_long() -> None:
    rows = [Row(0, 1.0, f"field_{number:05d}" + "x" * 100) for number in range(3_000)]

    def blocks() -> Iterator[Block]:
        raise StoreBroken("at once")
        yield ()

    with pytest.raises(StoreBroken):
        next(encode(blocks(), plan_of(rows), layout(Format.CSV, Shape.WIDE)))
