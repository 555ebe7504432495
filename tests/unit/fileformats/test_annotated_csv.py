"""Annotated CSV as InfluxDB 2.9.1 writes it: several tables and results, defaults, pivoted rows, odd cells."""

import pytest

from service.errors import FileRefused
from service.fileformats.annotated_csv import AnnotatedCsv
from service.fileformats.pieces import Piece, Position
from tests.support.imported import points_of, rejects_of, source_of

LONG = (
    "#group,false,false,true,true,false,false,true,true,true\r\n"
    "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,{},string,string,string\r\n"
    "#default,_result,,,,,,,,\r\n"
    ",result,table,_start,_stop,_time,_value,_field,_measurement,host\r\n"
)
RANGE = "2023-11-14T00:00:00Z,2023-11-16T00:00:00Z"
PIVOTED = (
    "#group,false,false,true,true,false,true,true,false,false\r\n"
    "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,string,string,boolean,double\r\n"
    "#default,two,,,,,,,,\r\n"
    ",result,table,_start,_stop,_time,_measurement,host,b,usage\r\n"
)


def read(text: str, measurement: str | None = None, block_bytes: int = 1 << 20) -> list[Piece]:
    return list(AnnotatedCsv(source_of(text.encode()), measurement, Position(), block_bytes).pieces())


def lines(pieces: list[Piece]) -> str:
    return b"".join(piece.text for piece in pieces).decode()


def test_tables_of_several_types_and_results() -> None:
    text = (
        LONG.format("long")
        + f",,0,{RANGE},2023-11-14T22:13:20.000000001Z,3,n,cpu,a\r\n"
        + f",,1,{RANGE},2023-11-14T22:13:20Z,4,n,cpu,\r\n\r\n"
        + LONG.format("double")
        + f",,2,{RANGE},2023-11-14T22:13:20Z,-0,usage,cpu,b c\r\n\r\n\r\n"
        + PIVOTED
        + f',,0,{RANGE},2023-11-14T22:13:20Z,"m,x",a,true,\r\n\r\n'
    )
    assert lines(read(text)) == (
        "cpu,host=a n=3i 1700000000000000001\ncpu n=4i 1700000000000000000\n"
        "cpu,host=b\\ c usage=-0 1700000000000000000\nm\\,x,host=a b=true 1700000000000000000\n"
    )


def test_the_encoder_of_influxdb_widens_line_feeds_and_writes_an_empty_text_as_an_empty_cell() -> None:
    head = LONG.format("string")
    rows = f',,0,{RANGE},1970-01-01T00:00:01Z,"two\r\nlines",s,m,a\r\n,,0,{RANGE},1970-01-01T00:00:02Z,,s,m,a\r\n'
    assert lines(read(head + rows)) == 'm,host=a s="two\nlines" 1000000000\nm,host=a s="" 2000000000\n'
    exact = head.replace("\r\n", "\n") + f',,0,{RANGE},1970-01-01T00:00:01Z,"two\r\nlines",s,m,a\n'
    assert lines(read(exact)) == 'm,host=a s="two\r\nlines" 1000000000\n'


def test_defaults_stand_for_empty_cells() -> None:
    text = LONG.format("double").replace("#default,_result,,,,,,,,", "#default,_result,,,,,,f,m,h")
    assert lines(read(text + f",,,{RANGE},1970-01-01T00:00:01Z,1,,,\r\n")) == "m,host=h f=1 1000000000\n"


def test_a_value_that_line_protocol_lacks_and_a_row_of_another_length_are_named() -> None:
    text = LONG.format("double") + f",,0,{RANGE},1970-01-01T00:00:01Z,NaN,f,m,a\r\n,,0,short\r\n"
    found = [(reject.line, reject.reason) for reject in rejects_of(read(text))]
    assert found == [
        (5, "the column '_value': 'NaN' is no float (NaN and infinity cannot be stored)"),
        (6, "the row has 4 cells, the header 10"),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (",result,table,_time,_value\r\n", "without #datatype"),
        ("#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,why,\r\n", "an error"),
        (LONG.format("duration"), "holds 'duration'"),
        (LONG.format("double").replace("_time", "when"), "no column _time"),
        (LONG.format("double").replace("_measurement", "other"), "--measurement"),
    ],
)
def test_what_is_no_result_is_refused_with_its_line(text: str, error: str) -> None:
    with pytest.raises(FileRefused, match=error):
        read(text + ",,0,1\r\n")


def test_reading_goes_on_at_any_piece_also_between_sections() -> None:
    rows = "".join(f",,0,{RANGE},1970-01-01T00:00:{number:02}Z,{number},f,m,a\r\n" for number in range(20))
    text = LONG.format("long") + rows + "\r\n" + LONG.format("double") + rows.replace(",f,", ",g,") + "\r\n"
    pieces = read(text, block_bytes=200)
    assert len(points_of(pieces)) == 40
    for number, piece in enumerate(pieces):
        rest = AnnotatedCsv(source_of(text.encode()), None, piece.after, 200).pieces()
        assert lines(list(rest)) == lines(pieces[number + 1 :])


def test_reading_goes_on_behind_a_header_with_a_line_break_in_a_name() -> None:
    """The header was cut at the line break when an import went on, and the file refused."""
    head = LONG.format("long").replace(",host\r\n", ',"rack\r\nrow"\r\n')
    rows = "".join(f",,0,{RANGE},1970-01-01T00:00:0{number}Z,{number},f,m,\r\n" for number in range(5))
    pieces = read(head + rows, block_bytes=200)
    assert len(points_of(pieces)) == 5
    for number, piece in enumerate(pieces):
        rest = AnnotatedCsv(source_of((head + rows).encode()), None, piece.after, 200).pieces()
        assert lines(list(rest)) == lines(pieces[number + 1 :])
