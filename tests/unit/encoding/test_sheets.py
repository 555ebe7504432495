"""Workbooks: every value is exact in its cell, or text that the second sheet counts."""

import datetime as dt
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from service.domain.schema import FieldType
from service.domain.timerange import TimeRange, format_time
from service.encoding.encoders import Format, Shape, columns, encode
from service.encoding.rows import long_rows
from service.encoding.sheet_cells import letters
from service.encoding.sheet_document import SheetDocument
from service.encoding.sheet_times import sheet_times
from service.errors import SheetTooSmall, StoreBroken
from tests.support.sample_blocks import Row, block_of, hostile_rows, layout, plan_of
from tests.support.sheets import about, table

SECOND = 10**9
NEW_YEAR_NS = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z."""


def workbook(rows: list[Row], shape: Shape = Shape.LONG, limit: int | None = None) -> bytes:
    return b"".join(encode(iter([block_of(rows)]), plan_of(rows), layout(Format.XLSX, shape), limit))


def cell(row: Row) -> object:
    """The cell of a value."""
    value: Any = row.value
    if row.type in (FieldType.INTEGER, FieldType.UNSIGNED):
        return float(value) if abs(value) <= 2**53 else str(value)
    if row.type is not FieldType.FLOAT:
        return value
    if math.isfinite(value) and (abs(value) >= 2.2250738585072014e-308 or repr(value) == "0.0"):
        return value
    return (
        "NaN"
        if math.isnan(value)
        else {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, str(value).replace("-0.0", "-0"))
    )


@given(rows=hostile_rows())
def test_every_value_name_and_tag_is_in_its_cell(rows: list[Row]) -> None:
    found = [
        (
            got.get("_value"),
            got["_field"],
            got["_measurement"],
            {name: text for name, text in got.items() if name[0] != "_"},
        )
        for got in table(workbook(rows))
    ]
    names = {column.source: column.name for column in columns(plan_of(rows), Shape.LONG, Format.XLSX) if column.source}
    wanted = [
        (cell(row), row.field, row.measurement, {names[key]: value for key, value in row.tags if names[key][0] != "_"})
        for row in rows
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted))


@pytest.mark.parametrize(
    "text",
    ["", " a ", "_x0041_", "_x0041_x0042_", "a\r\nb\tc", "\x00\x01\x1f\x7f", "<&>\"'", "\ufffe\uffff", "=1+1", "🚀"],
)
def test_texts_are_kept_to_the_letter(text: str) -> None:
    assert [row["_value"] for row in table(workbook([Row(0, text, type=FieldType.STRING)]))] == [text]


def test_numbers_are_numbers_and_what_a_double_lacks_is_text() -> None:
    integers = [0, 2**53, -(2**53), 2**53 + 1, -(2**63)]
    got = workbook([Row(number, value, type=FieldType.INTEGER) for number, value in enumerate(integers)])
    assert [row["_value"] for row in table(got)] == [
        0.0,
        2.0**53,
        -(2.0**53),
        "9007199254740993",
        "-9223372036854775808",
    ]
    assert ("note", "2 integers are text: a cell holds whole numbers up to 2^53 exactly.") in about(got)
    floats = [0.1, 1e308, 2.2250738585072014e-308, 5e-324, -0.0, math.nan, math.inf, -math.inf]
    got = workbook([Row(number, value) for number, value in enumerate(floats)])
    assert [row["_value"] for row in table(got)] == [
        0.1,
        1e308,
        2.2250738585072014e-308,
        "5e-324",
        "-0",
        "NaN",
        "+Inf",
        "-Inf",
    ]
    note = "5 floats are text: a cell holds no NaN, infinity, -0 or number that is nearer to 0 than 2.2e-308."
    assert ("note", note) in about(got)


def dates(times_ns: list[int], zone: str = "UTC") -> list[str | None]:
    """What a sheet shows of each time; None where it is text."""
    found = sheet_times(pa.array(times_ns, pa.timestamp("ns", "UTC")), zone)
    zero = dt.datetime(1899, 12, 30)
    shown = [
        str(zero + dt.timedelta(milliseconds=round(float(serial) * 86_400_000))) for serial in found.serials.to_pylist()
    ]
    return [date if exact else None for date, exact in zip(shown, found.exact.tolist(), strict=True)]


def test_times_are_dates_to_the_millisecond_and_text_beyond() -> None:
    times = [NEW_YEAR_NS, NEW_YEAR_NS + 1_000_000, NEW_YEAR_NS + 1_000, NEW_YEAR_NS + 1]
    assert dates(times) == ["2026-01-01 00:00:00", "2026-01-01 00:00:00.001000", None, None]
    got = workbook([Row(time_ns, 1.0) for time_ns in times])
    assert [row["_time"] for row in table(got)][2:] == [format_time(time_ns) for time_ns in times[2:]]
    assert str(about(got)[-1][1]).startswith("2 times are text: a date holds milliseconds")


def test_dates_begin_in_march_1900() -> None:
    """Excel takes 1900 for a leap year: before March its days are one off."""
    march = int(dt.datetime(1900, 3, 1, tzinfo=dt.UTC).timestamp()) * SECOND
    assert dates([march, march - SECOND]) == ["1900-03-01 00:00:00", None]


def test_an_hour_that_the_clock_shows_twice_is_text_with_its_offset() -> None:
    """2026-10-25 in Berlin: 02:00 to 03:00 comes twice."""
    autumn = 1_792_886_400 * SECOND  # 00:00Z, 02:00 in summer time
    times = [autumn - SECOND, autumn, autumn + 3600 * SECOND, autumn + 7200 * SECOND]
    assert dates(times, "Europe/Berlin") == ["2026-10-25 01:59:59", None, None, "2026-10-25 03:00:00"]


def test_an_hour_that_the_clock_skips_is_no_text() -> None:
    spring = 1_774_746_000 * SECOND  # 2026-03-29T01:00Z: 02:00 is 03:00
    assert dates([spring - SECOND, spring], "Europe/Berlin") == ["2026-03-29 01:59:59", "2026-03-29 03:00:00"]


def test_the_second_sheet_says_what_the_rows_are() -> None:
    rows = [Row(number, 1.0) for number in range(3)]
    names = [name for name, _ in about(workbook(rows))]
    assert names[:6] == ["bucket", "start", "stop", "every", "time zone", "rows"]
    assert dict(about(workbook(rows)))["rows"] == "3"
    assert dict(about(workbook(rows, limit=2)))["rows"] == "2 (the limit cut the others off)"


def document(most_rows: int, row_count: int) -> bytes:
    rows = [Row(number, 1.0) for number in range(row_count)]
    names = columns(plan_of(rows), Shape.LONG, Format.XLSX)
    made = SheetDocument(names, "UTC", "b", TimeRange(0, 1), "raw", most_rows)
    pieces = [*made.begin()]
    for frame in block_of(rows):
        pieces += made.write(long_rows(frame, names))
    return b"".join([*pieces, *made.end(None)])


def test_a_sheet_is_filled_to_its_last_row_and_no_further() -> None:
    assert len(table(document(3000, 2999))) == 2999
    with pytest.raises(
        SheetTooSmall, match=r"more than 2,999 rows, which is what a sheet holds\. Read a shorter range"
    ):
        document(3000, 3000)


def test_a_text_that_is_too_long_for_a_cell_is_refused_not_cut() -> None:
    assert len(str(table(workbook([Row(0, "ä" * 32_767, type=FieldType.STRING)]))[0]["_value"])) == 32_767
    with pytest.raises(SheetTooSmall, match="32768 letters, and a cell has room for 32767"):
        workbook([Row(0, "x" * 32_768, type=FieldType.STRING)])
    with pytest.raises(SheetTooSmall, match="32768 letters"):
        workbook([Row(0, "🚀" * 16_384, type=FieldType.STRING)])


def test_nothing_is_sent_before_the_workbook_is_whole() -> None:
    def blocks() -> Any:
        yield block_of([Row(0, 1.0)])
        raise StoreBroken("cut")

    sent = []
    with pytest.raises(StoreBroken):
        sent += encode(blocks(), plan_of([Row(0, 1.0)]), layout(Format.XLSX))
    assert sent == []


def test_equal_answers_are_equal_files() -> None:
    assert workbook([Row(0, 1.0)]) == workbook([Row(0, 1.0)])


@pytest.mark.parametrize(
    ("number", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")]
)
def test_columns_are_named_as_in_spreadsheets(number: int, name: str) -> None:
    assert letters(number) == name
