"""CSV with named columns: types of a whole column, times of all forms, and every odd row named by its line."""

import numpy as np
import pytest

from service.domain.schema import FieldType
from service.errors import FileRefused, InvalidParameter
from service.fileformats.column_roles import TableForm
from service.fileformats.joined_pieces import joined_pieces
from service.fileformats.pieces import Piece, Position
from service.fileformats.plain_csv import PlainCsv
from service.fileformats.time_cells import TimeForm
from tests.support.imported import points_of, rejects_of, source_of

START = Position()


def read(text: str | bytes, form: TableForm, types: bool = True, block_bytes: int = 1 << 20) -> list[Piece]:
    data = text.encode() if isinstance(text, str) else text
    chosen = PlainCsv(source_of(data), form, START, block_bytes).types() if types else None
    return list(PlainCsv(source_of(data), form, START, block_bytes).pieces(chosen))


def lines(pieces: list[Piece]) -> str:
    return b"".join(piece.text for piece in pieces).decode()


def rejected(pieces: list[Piece]) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in rejects_of(pieces)]


FORM = TableForm(time="time", measurement="power", tags={"site": "site"})


def test_columns_are_tags_fields_and_the_time() -> None:
    text = "time,site,volts,on,note\n2026-01-01T00:00:00.000000001Z,A,230.5,true,ok\n2026-01-01T01:00:00+01:00,,7,,\n"
    assert lines(read(text, FORM)) == (
        'power,site=A volts=230.5,on=true,note="ok" 1767225600000000001\npower volts=7 1767225600000000000\n'
    )


def test_a_column_has_one_type_in_the_whole_file_however_late_it_shows() -> None:
    rows = "".join(f"2026-01-01T00:00:{second:02}Z,{second}\n" for second in range(59))
    text = f"time,v\n{rows}2026-01-01T00:00:59Z,0.5\n"
    points = points_of(read(text, TableForm("time", measurement="m"), block_bytes=100))
    assert {point[3] for point in points} == {"float"}
    assert len(points) == 60


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", ""], FieldType.INTEGER),
        (["1", "2.5"], FieldType.FLOAT),
        (["1", "NaN"], FieldType.FLOAT),
        (["1e5", "-.5"], FieldType.FLOAT),
        (["9223372036854775808"], FieldType.FLOAT),
        (["true", "False"], FieldType.BOOLEAN),
        (["true", "1"], FieldType.STRING),
        (["007", "12"], FieldType.STRING),
        (["", ""], FieldType.STRING),
        (["0", "0.5"], FieldType.FLOAT),
    ],
)
def test_types_are_found_out(cells: list[str], expected: FieldType) -> None:
    text = "time,v,w\n" + "".join(f"1,{cell},x\n" for cell in cells)
    assert PlainCsv(source_of(text.encode()), TableForm("time", measurement="m"), START).types()[1] is expected


def test_standard_input_is_not_read_twice_so_a_late_misfit_ends_it_with_its_line() -> None:
    rows = "".join(f"2026-01-01T00:00:{second:02}Z,{second}\n" for second in range(59))
    text = f"time,v\n{rows}2026-01-01T00:00:59Z,0.5\n"
    with pytest.raises(FileRefused, match=r"line 61: the column 'v': '0\.5' is no integer.*--type v=float"):
        read(text, TableForm("time", measurement="m"), types=False, block_bytes=100)


def test_a_given_type_holds_and_cells_that_do_not_fit_are_named() -> None:
    form = TableForm("time", measurement="m", types={"v": FieldType.UNSIGNED})
    pieces = read("time,v,w\n1970-01-01T00:00:01Z,7,a\n1970-01-01T00:00:02Z,-7,b\n", form)
    assert lines(pieces) == 'm v=7u,w="a" 1000000000\nm w="b" 2000000000\n'
    assert rejected(pieces) == [(3, "the column 'v': '-7' is no unsigned (beyond 64 bits)")]


def test_quotes_line_breaks_blank_lines_and_carriage_returns() -> None:
    text = '\ufefftime,note\r\n1970-01-01T00:00:01Z,"two\nlines, ""so"""\r\n\r\n1970-01-01T00:00:02Z,""\r\nbad\r\n'
    pieces = read(text, TableForm("time", measurement="m"))
    assert lines(pieces) == 'm note="two\nlines, \\"so\\"" 1000000000\nm note="" 2000000000\n'
    assert rejected(pieces) == [(6, "the row has 1 cells, the header 2")]


def test_german_files() -> None:
    form = TableForm(
        "Zeit",
        TimeForm(zone="Europe/Berlin", pattern="%d.%m.%Y %H:%M"),
        "m",
        separator=";",
        decimal=",",
        encoding="cp1252",
    )
    text = "Zeit;Außen °C\n31.12.2025 23:30;-1,5\n01.07.2026 12:00;21,25\n".encode("cp1252")
    assert lines(read(text, form)) == "m Außen\\ °C=-1.5 1767220200000000000\nm Außen\\ °C=21.25 1782900000000000000\n"


def test_a_time_in_another_form_is_rejected_with_the_option_that_names_forms() -> None:
    pieces = read("time,v\n31.12.2025 23:30,1\n2026-01-01T00:00:00Z,2\n", TableForm("time", TimeForm(), "m"))
    assert lines(pieces) == "m v=2i 1767225600000000000\n"
    [(line, reason)] = rejected(pieces)
    assert (line, "--time-format says how it is written" in reason) == (2, True)


def test_local_times_that_come_twice_or_never_are_named_or_decided() -> None:
    text = "time,v\n2026-10-25 02:30:00,1\n2026-03-29 02:30:00,2\n2026-10-25 12:00:00,3\n"
    pieces = read(text, TableForm("time", TimeForm(zone="Europe/Berlin"), "m"))
    assert lines(pieces) == "m v=3i 1792926000000000000\n"
    assert [(line, reason.split(" in Europe")[0]) for line, reason in rejected(pieces)] == [
        (2, "the time 2026-10-25T02:30:00.000000000 comes twice"),
        (3, "the time 2026-03-29T02:30:00.000000000 does not exist"),
    ]
    second = read(text, TableForm("time", TimeForm(zone="Europe/Berlin", second_hour=True), "m"))
    first = read(text, TableForm("time", TimeForm(zone="Europe/Berlin", second_hour=False), "m"))
    assert lines(second).startswith("m v=1i 1792891800000000000\n")
    assert lines(first).startswith("m v=1i 1792888200000000000\n")


def test_numbers_since_1970_in_their_unit() -> None:
    text = "time,v\n1700000000,1\n1700000000.000000001,2\n-1,3\nx,4\n"
    pieces = read(text, TableForm("time", TimeForm(unit="s"), "m"))
    assert lines(pieces) == "m v=1i 1700000000000000000\nm v=2i 1700000000000000001\nm v=3i -1000000000\n"
    assert rejected(pieces) == [(5, "the time 'x' is no number since 1970 (--precision s)")]


def test_the_number_that_pandas_has_for_no_time_is_no_time_in_any_unit() -> None:
    """`abs` of it is itself, so it passed the bound, and a product that wrapped around made 1970-01-01 of it."""
    text = f"time,v\n{-(2**63)},1\n1,2\n"
    for unit, per_unit in {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}.items():
        pieces = read(text, TableForm("time", TimeForm(unit=unit), "m"))
        assert lines(pieces) == f"m v=2i {per_unit}\n"
        ((line, reason),) = rejected(pieces)
        assert line == 2
        assert reason.startswith(f"the time '{-(2**63)}' is outside 1677-09-21 to 2262-04-11")


@pytest.mark.parametrize(
    ("text", "form", "error"),
    [
        ("Time,v\n1,2\n", TableForm("time", measurement="m"), "no column 'time'. Did you mean 'Time'?"),
        ("time;v\n1;2\n", TableForm("time", measurement="m"), "--sep ';'"),
        ("time,v,v\n1,2,3\n", TableForm("time", measurement="m"), "2 columns 'v'"),
        ("time\n1\n", TableForm("time", measurement="m"), "no column that could be a field"),
        ("time,v\n1,\xe4\n".encode("cp1252"), TableForm("time", measurement="m"), "line 2: byte 0xe4 is not UTF-8"),
    ],
)
def test_files_that_are_not_as_they_were_said_to_be(text: str | bytes, form: TableForm, error: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read(text, form)
    assert error in refused.value.message


@pytest.mark.parametrize(
    "form",
    [
        TableForm(measurement="m"),
        TableForm("time"),
        TableForm("time", measurement="m", tags={"v": "v"}, fields={"v": "v"}),
        TableForm("time", measurement="m", fields={"v": "x", "w": "x"}),
        TableForm("time", measurement="m", types={"time": FieldType.FLOAT}),
    ],
)
def test_roles_that_contradict_each_other_are_refused(form: TableForm) -> None:
    with pytest.raises(InvalidParameter):
        read("time,v,w\n1,2,3\n", form)


def test_reading_goes_on_at_any_piece() -> None:
    rows = "".join(f'1970-01-01T00:00:{second:02}Z,{second},"a\n{second}"\n' for second in range(60))
    data, form = f"time,v,note\n{rows}".encode(), TableForm("time", measurement="m")
    pieces = list(PlainCsv(source_of(data), form, START, 100).pieces(None))
    assert len(pieces) > 10
    for number, piece in enumerate(pieces):
        rest = PlainCsv(source_of(data), form, piece.after, 100).pieces({1: FieldType.INTEGER, 2: FieldType.STRING})
        assert lines(list(rest)) == lines(pieces[number + 1 :])


def test_joined_pieces_keep_lines_rows_and_rejects() -> None:
    rows = "".join(f"{second},{second}\n" for second in range(50))
    form = TableForm("time", TimeForm(unit="s"), "m")
    pieces = read(f"time,v\n{rows}x,1\n", form, block_bytes=64)
    [joined] = joined_pieces(pieces)
    assert joined.text == b"".join(piece.text for piece in pieces)
    assert [joined.line_of(index) for index in range(len(joined))] == list(range(2, 52))
    assert [reject.line for reject in joined.rejects] == [52]
    assert joined.times is not None
    assert joined.times.tolist() == [second * 1_000_000_000 for second in range(50)]
    assert np.array_equal(joined.starts[[0, -1]], [0, len(joined.text)])
