"""Answers for spreadsheets and files: CSV in their dialects, workbooks, and Arrow files."""

import datetime as dt

import httpx
import pyarrow as pa
import pytest

from tests.support.sheets import about, table

BUCKET = "/buckets/Power%20Consumption"
ASKED = {"window": "2h", "every": "1h", "field": "volts", "tag.meter": "a"}
PLAIN = (
    "_time,_value,_field,_measurement,meter\n"
    "2026-01-01T11:00:00Z,231,volts,power,a\n2026-01-01T12:00:00Z,231,volts,power,a\n"
)


@pytest.mark.parametrize(("sep", "separator"), [(",", ","), (";", ";"), ("tab", "\t")])
def test_csv_is_separated_as_asked(http: httpx.Client, sep: str, separator: str) -> None:
    assert http.get(BUCKET, params={**ASKED, "sep": sep}).text == PLAIN.replace(",", separator)


def test_csv_begins_with_a_mark_when_asked(http: httpx.Client) -> None:
    assert http.get(BUCKET, params={**ASKED, "bom": "true"}).content == b"\xef\xbb\xbf" + PLAIN.encode()
    assert http.get(BUCKET, params={**ASKED, "bom": "false"}).content == PLAIN.encode()


def test_a_text_with_the_separator_is_quoted(http: httpx.Client) -> None:
    lines = 'n text="a;b" 1767265200\nn text="a\tb" 1767265201\nn text="a,b" 1767265202'
    http.post(
        f"{BUCKET}/points", params={"precision": "s"}, content=lines, headers={"Content-Type": "text/plain"}
    ).raise_for_status()
    asked = {"every": "raw", "measurement": "n", "field": "text"}
    semicolons = http.get(BUCKET, params={**asked, "sep": ";"}).text.splitlines()[1:]
    assert [line.split("Z;")[1] for line in semicolons] == ['"a;b";text;n', "a\tb;text;n", "a,b;text;n"]
    tabs = http.get(BUCKET, params={**asked, "sep": "tab"}).text.splitlines()[1:]
    assert [line.split("Z\t")[1] for line in tabs] == ["a;b\ttext\tn", '"a\tb"\ttext\tn', "a,b\ttext\tn"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"sep": "|"}, "sep"),
        ({"sep": ""}, "sep"),
        ({"bom": "yes"}, "bom"),
        ({"sep": ";", "format": "json"}, "sep"),
        ({"bom": "true", "format": "xlsx"}, "bom"),
    ],
)
def test_what_is_no_dialect_is_refused(http: httpx.Client, parameters: dict[str, str], named: str) -> None:
    answer = http.get(BUCKET, params={**ASKED, **parameters})
    assert (answer.status_code, answer.json()["parameter"]) == (422, named)


def test_dialects_are_kept_apart_in_the_cache(http: httpx.Client) -> None:
    answers = [
        http.get(BUCKET, params={**ASKED, **dialect}).content for dialect in ({}, {"sep": ";"}, {"bom": "true"}, {})
    ]
    assert len(set(answers)) == 3 and answers[0] == answers[3]


def test_a_workbook_has_dates_and_numbers(http: httpx.Client) -> None:
    answer = http.get(BUCKET, params={**ASKED, "format": "xlsx"})
    assert answer.headers["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="Power Consumption.xlsx"')
    assert table(answer.content)[0] == {
        "_time": dt.datetime(2026, 1, 1, 11),
        "_value": 231.0,
        "_field": "volts",
        "_measurement": "power",
        "meter": "a",
    }
    assert dict(about(answer.content))["rows"] == "2"


def test_a_text_that_fits_no_cell_is_an_error_before_the_first_byte(http: httpx.Client) -> None:
    http.post(
        f"{BUCKET}/points", content=f'n text="{"x" * 40_000}"', headers={"Content-Type": "text/plain"}
    ).raise_for_status()
    answer = http.get(
        BUCKET,
        params={"start": "2026-01-01T00:00:00Z", "stop": "2200-01-01T00:00:00Z", "every": "raw", "format": "xlsx"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "sheet_too_small")
    assert "format=csv" in answer.json()["detail"]


def test_an_arrow_file_and_an_arrow_stream_hold_the_same(http: httpx.Client) -> None:
    stream, file = (http.get(BUCKET, params={**ASKED, "format": form}) for form in ("arrow", "arrow_file"))
    assert pa.ipc.open_file(file.content).read_all().equals(pa.ipc.open_stream(stream.content).read_all())
    names = [answer.headers["Content-Disposition"].split('"')[1] for answer in (stream, file)]
    assert names == ["Power Consumption.arrows", "Power Consumption.arrow"]
