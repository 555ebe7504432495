"""`fn=m4` over HTTP: every layout and format, its headers, what goes with it and what does not, and the cache."""

import io
import json

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.api.conftest import write
from tests.support.sheets import table

BUCKET = "/buckets/Power%20Consumption"
POINTS = {0: 20.5, 7: 21, 9: 19, 20: 20, 30: 22, 59: 18.5}
"""Minutes after 10:00, and values. Of the first half hour the point at 20 is no corner, as the later one at 25 is."""
M4 = {
    "start": "2026-01-01T10:00:00Z",
    "stop": "2026-01-01T11:00:00Z",
    "every": "30m",
    "fn": "m4",
    "measurement": "oven",
    "field": "heat",
}


@pytest.fixture
def oven(http: httpx.Client) -> httpx.Client:
    lines = [f"oven heat={value} {1_767_261_600 + minute * 60}" for minute, value in {**POINTS, 25: 20.25}.items()]
    write(http, "Power%20Consumption", "\n".join(lines), precision="s").raise_for_status()
    return http


def expected() -> list[tuple[str, float]]:
    corners = {minute: value for minute, value in {**POINTS, 25: 20.25}.items() if minute != 20}
    return [(f"2026-01-01T10:{minute:02}:00Z", corners[minute]) for minute in sorted(corners)]


@pytest.mark.parametrize("shape", ["long", "wide", "table"])
def test_text_formats_have_the_same_points(oven: httpx.Client, shape: str) -> None:
    column = {"long": "_value", "wide": "heat", "table": "oven.heat"}[shape]
    csv, json_text, lines = (
        oven.get(BUCKET, params={**M4, "shape": shape, "format": form}).raise_for_status().text
        for form in ("csv", "json", "ndjson")
    )
    names, *rows = (line.split(",") for line in csv.splitlines())
    assert [(row[0], float(row[names.index(column)])) for row in rows] == expected()
    for documents in (json.loads(json_text)["rows"], [json.loads(line) for line in lines.splitlines()]):
        assert [(document["_time"], document[column]) for document in documents] == expected()


@pytest.mark.parametrize("shape", ["long", "wide", "table"])
def test_binary_formats_have_the_same_points(oven: httpx.Client, shape: str) -> None:
    column = {"long": "_value_float", "wide": "heat", "table": "oven.heat"}[shape]
    bodies = {
        form: oven.get(BUCKET, params={**M4, "shape": shape, "format": form}).raise_for_status().content
        for form in ("parquet", "arrow", "arrow_file")
    }
    tables = [
        pq.read_table(io.BytesIO(bodies["parquet"])),
        pa.ipc.open_stream(bodies["arrow"]).read_all(),
        pa.ipc.open_file(bodies["arrow_file"]).read_all(),
    ]
    for answer in tables:
        value = column if column in answer.column_names else "_value"
        times = [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in answer.column("_time").to_pylist()]
        assert list(zip(times, answer.column(value).to_pylist(), strict=True)) == expected()


def test_a_workbook_has_the_same_points(oven: httpx.Client) -> None:
    rows = table(oven.get(BUCKET, params={**M4, "format": "xlsx"}).raise_for_status().content)
    assert [row["_value"] for row in rows] == [value for _, value in expected()]


def test_headers_say_that_rows_have_the_times_of_points(oven: httpx.Client) -> None:
    headers = oven.get(BUCKET, params=M4).headers
    assert (headers["X-Fluxgate-Fn"], headers["X-Fluxgate-Stamp"]) == ("m4", "point")
    assert oven.get(BUCKET, params={**M4, "stamp": "point"}).content == oven.get(BUCKET, params=M4).content


def test_text_is_skipped_and_named(http: httpx.Client) -> None:
    answer = http.get(BUCKET, params={"fn": "m4", "every": "1h"}).raise_for_status()
    assert answer.headers["X-Fluxgate-Skipped-Fields"] == "power.mode"
    assert "day" not in answer.text


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"fn": "m4", "stamp": "start"}, "fn=m4 gives points with their own times"),
        ({"fn": "max", "stamp": "point"}, "stamp=point is for fn=m4"),
        ({"stamp": "point"}, "a row of fn=mean is no point"),
    ],
)
def test_a_stamp_that_the_function_cannot_have_is_refused(http: httpx.Client, asked: dict[str, str], says: str) -> None:
    answer = http.get(BUCKET, params=asked)
    assert (answer.status_code, answer.json()["parameter"]) == (422, "stamp")
    assert says in answer.json()["detail"]


def test_kept_windows_give_the_bytes_of_the_store(http: httpx.Client) -> None:
    asked = {
        "start": "2026-01-01T10:00:00Z",
        "stop": "2026-01-01T11:30:00Z",
        "every": "5m",
        "fn": "m4",
        "field": "volts",
    }
    outcomes = []
    for stop, shape in (("11:30", "long"), ("11:44", "long"), ("11:00", "wide"), ("11:45", "table")):
        question = {**asked, "stop": f"2026-01-01T{stop}:00Z", "shape": shape}
        kept, plain = (http.get(BUCKET, params=question, headers=head) for head in ({}, {"Cache-Control": "no-cache"}))
        assert kept.content == plain.content
        outcomes.append(kept.headers["X-Fluxgate-Cache"].partition(";")[0])
    assert outcomes == ["miss", "partial", "hit", "partial"]
