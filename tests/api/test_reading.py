"""GET /buckets/{name}, as an analyst meets it."""

import csv
import gzip
import io
import json
from urllib.parse import quote

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

BUCKET = "/buckets/Power%20Consumption"


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_hourly_means_as_csv(http: httpx.Client) -> None:
    answer = http.get(BUCKET, params={"window": "2h", "every": "1h", "field": "volts"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.text == (
        "_time,_value,_field,_measurement,meter\n"
        "2026-01-01T11:00:00Z,231,volts,power,a\n"
        "2026-01-01T12:00:00Z,231,volts,power,a\n"
        "2026-01-01T11:00:00Z,231,volts,power,b\n"
        "2026-01-01T12:00:00Z,231,volts,power,b\n"
    )


def test_headers_say_what_was_done(http: httpx.Client) -> None:
    headers = http.get(BUCKET, params={"window": "2h", "every": "1h", "fn": "max"}).headers
    assert headers["X-Fluxgate-Start"] == "2026-01-01T10:00:00Z"
    assert headers["X-Fluxgate-Stop"] == "2026-01-01T12:00:00Z"
    assert headers["X-Fluxgate-Every"] == "1h"
    assert headers["X-Fluxgate-Fn"] == "max"
    assert headers["X-Fluxgate-Row-Order"] == "time ascending within a series"
    assert headers["X-Fluxgate-Skipped-Fields"] == "power.mode"
    assert headers["X-Fluxgate-Store"] == "embedded"
    assert headers["X-Fluxgate-Cache"] == "miss"
    assert len(headers["X-Request-Id"]) == 16
    assert headers["Content-Disposition"].startswith('inline; filename="Power Consumption.csv"')


def test_the_default_is_half_hours_of_the_last_day(http: httpx.Client) -> None:
    answer = http.get(BUCKET)
    assert answer.headers["X-Fluxgate-Start"] == "2025-12-31T12:00:00Z"
    assert answer.headers["X-Fluxgate-Every"] == "30m"
    assert len(rows(answer)) == 2 * 2 * 4


def test_json_is_one_document(http: httpx.Client) -> None:
    document = http.get(
        BUCKET, params={"window": "1h", "every": "1h", "field": "count", "fn": "last", "format": "json", "limit": "1"}
    ).json()
    assert document == {
        "bucket": "Power Consumption",
        "start": "2026-01-01T11:00:00Z",
        "stop": "2026-01-01T12:00:00Z",
        "every": "1h",
        "rows": [
            {"_time": "2026-01-01T12:00:00Z", "_value": 119, "_field": "count", "_measurement": "power", "meter": "a"}
        ],
        "truncated": True,
    }


def test_wide_rows_have_a_column_a_field(http: httpx.Client) -> None:
    answer = http.get(
        BUCKET,
        params={"start": "2026-01-01T10:00:00Z", "stop": "2026-01-01T10:01:00Z", "every": "raw", "shape": "wide"},
    )
    assert answer.text == (
        "_time,_measurement,meter,count,mode,volts\n2026-01-01T10:00:00Z,power,a,0,day,230\n2026-01-01T10:00:00Z,power,b,0,day,230\n"
    )


def test_a_table_has_a_column_a_series(http: httpx.Client) -> None:
    query = {"window": "2h", "every": "1h", "shape": "table", "stamp": "start", "fn": "max"}
    answer = http.get(BUCKET, params=query)
    assert answer.text == (
        "_time,power.count{meter=a},power.count{meter=b},power.volts{meter=a},power.volts{meter=b}\n"
        "2026-01-01T10:00:00Z,59,59,232,232\n"
        "2026-01-01T11:00:00Z,119,119,232,232\n"
    )
    assert (answer.headers["X-Fluxgate-Shape"], answer.headers["X-Fluxgate-Row-Order"]) == ("table", "time ascending")
    arrow = pa.ipc.open_stream(http.get(BUCKET, params={**query, "format": "arrow"}).content).read_all()
    assert arrow.column("power.count{meter=b}").to_pylist() == [59, 119]


def test_a_table_of_too_many_series_is_422_before_its_first_byte(http: httpx.Client) -> None:
    http.post("/buckets", json={"name": "many"}).raise_for_status()
    lines = "\n".join(f"m,n={number} f=1 1767265000000000000" for number in range(1_100))
    http.post("/buckets/many/points", content=lines, headers={"Content-Type": "text/plain"}).raise_for_status()
    answer = http.get("/buckets/many", params={"every": "raw", "shape": "table"})
    assert (answer.status_code, answer.json()["code"]) == (422, "table_too_large")
    assert "more than 1000 columns, one for each series" in answer.json()["detail"]
    assert len(rows(http.get("/buckets/many", params={"every": "raw"}))) == 1_100


def test_every_format_holds_the_same_rows(http: httpx.Client) -> None:
    query = {"window": "2h", "every": "raw", "field": "count", "shape": "wide"}
    counts = {
        "csv": len(rows(http.get(BUCKET, params={**query, "format": "csv"}))),
        "json": len(http.get(BUCKET, params={**query, "format": "json"}).json()["rows"]),
        "ndjson": len(
            [json.loads(line) for line in http.get(BUCKET, params={**query, "format": "ndjson"}).text.splitlines()]
        ),
        "parquet": pq.read_table(io.BytesIO(http.get(BUCKET, params={**query, "format": "parquet"}).content)).num_rows,
        "arrow": pa.ipc.open_stream(http.get(BUCKET, params={**query, "format": "arrow"}).content).read_all().num_rows,
    }
    assert counts == dict.fromkeys(counts, 240)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "text/csv; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/*;q=0.5, application/json;q=0.4", "text/csv; charset=utf-8"),
        ("text/csv;q=0.1, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
    ],
)
def test_accept_chooses_the_format(http: httpx.Client, accept: str, media: str) -> None:
    assert http.get(BUCKET, headers={"Accept": accept}).headers["Content-Type"] == media


@pytest.mark.parametrize("accept", ["text/html", "image/*", "text/csv;q=0"])
def test_an_accept_that_fits_nothing_is_406(http: httpx.Client, accept: str) -> None:
    answer = http.get(BUCKET, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "text/csv" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "parameter", "says"),
    [
        ("window=0h", "window", "shortest duration is 1s"),
        ("window=-1d", "window", "whole number and one unit"),
        ("window=1.5h", "window", "whole number and one unit"),
        ("window=30x", "window", "s, m, h, d or w"),
        ("every=nonsense", "every", "every=raw"),
        ("start=2026-01-02T00:00:00Z&stop=2026-01-01T00:00:00Z", "start", "not before the stop"),
        ("start=2026-01-01T00:00:00", "start", "offset"),
        ("start=2026-01-01T00:00:00Z&window=1h", "window", "not both"),
        ("stop=2026-01-01T00:00:00Z", "start", "stop needs a start"),
        ("fn=avg", "fn", "mean, min, max"),
        ("format=xml", "format", "csv, json, ndjson, parquet, arrow"),
        ("shape=tall", "shape", "long, wide, table"),
        ("shape=pivot", "shape", "Did you mean table?"),
        ("tz=Mars/Base", "tz", "IANA"),
        ("tz=../../etc/passwd", "tz", "IANA"),
        ("limit=0", "limit", "from 1 on"),
        ("limit=ten", "limit", "from 1 on"),
        ("windw=1h", "windw", "Did you mean 'window'?"),
        ("window=1h&window=2h", "window", "given twice"),
        ("every=raw&fn=max", "fn", "no meaning"),
        ("tag.=x", "tag.", "There is no parameter"),
        ("meter=a", "meter", "A tag is written tag.meter=VALUE."),
        ("window=30days", "window", "Did you mean 30d?"),
        ("window=1mo", "window", "Months and years are lengths for every="),
        ("every=1min", "every", "Did you mean 1m?"),
        ("every=1M", "every", "Did you mean 1mo?"),
        ("fn=avg", "fn", "Did you mean mean?"),
        ("fn=MAX", "fn", "Did you mean max?"),
        ("stamp=left", "stamp", "Did you mean start?"),
        ("fn=M4", "fn", "Did you mean m4?"),
        ("align=yes", "align", "neither true nor false"),
        ("every=raw&align=true", "align", "no meaning"),
        ("every=raw&stamp=start", "stamp", "no meaning"),
        ("window=1h&every=1d&align=true", "align", "no whole window of 1d"),
        ("start=2026-01-01", "start", "Add tz="),
        ("start=1767225600", "start", "Did you mean 1767225600s?"),
        ("start=2025-10-26T02:30&tz=Europe/Berlin", "start", "2025-10-26T00:30:00Z and 2025-10-26T01:30:00Z"),
        ("start=2025-03-30T02:30&tz=Europe/Berlin", "start", "skips that time"),
    ],
)
def test_a_wrong_parameter_is_422_and_says_what_is_allowed(
    http: httpx.Client, query: str, parameter: str, says: str
) -> None:
    answer = http.get(f"{BUCKET}?{query}")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["parameter"] == parameter
    assert says in answer.json()["detail"]


def test_times_of_a_named_zone_and_numbers_are_times(http: httpx.Client) -> None:
    """2026-01-01T11:00 in Berlin is 10:00Z."""
    same = ["start=2026-01-01T11:00&stop=2026-01-01T12:00&tz=Europe/Berlin", "start=1767261600s&stop=1767265200000ms"]
    for query in same:
        answer = http.get(f"{BUCKET}?{query}&every=1h&field=count&fn=count")
        assert answer.headers["X-Fluxgate-Start"] == "2026-01-01T10:00:00Z"
        assert answer.headers["X-Fluxgate-Stop"] == "2026-01-01T11:00:00Z"
        assert [row["_value"] for row in rows(answer)] == ["60", "60"]


def test_a_row_may_have_the_start_of_its_window(http: httpx.Client) -> None:
    query = {"window": "2h", "every": "1h", "field": "count", "fn": "count", "tag.meter": "a"}
    stop, start = http.get(BUCKET, params=query), http.get(BUCKET, params={**query, "stamp": "start"})
    assert [row["_time"] for row in rows(stop)] == ["2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"]
    assert [row["_time"] for row in rows(start)] == ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"]
    assert [answer.headers["X-Fluxgate-Stamp"] for answer in (stop, start)] == ["stop", "start"]


def test_whole_windows_alone(http: httpx.Client) -> None:
    """Between 10:00 and 12:00, windows of 50 minutes counted from 1970 have edges at 10:40 and 11:30."""
    query = {"window": "2h", "every": "50m", "field": "count", "fn": "count", "tag.meter": "a"}
    ragged, whole = http.get(BUCKET, params=query), http.get(BUCKET, params={**query, "align": "true"})
    assert [row["_value"] for row in rows(ragged)] == ["40", "50", "30"]
    assert [row["_value"] for row in rows(whole)] == ["50"]
    assert whole.headers["X-Fluxgate-Start"] == "2026-01-01T10:40:00Z"
    assert whole.headers["X-Fluxgate-Stop"] == "2026-01-01T11:30:00Z"
    assert whole.headers["X-Fluxgate-Align"] == "true"
    assert "X-Fluxgate-Align" not in ragged.headers
    assert whole.headers["X-Fluxgate-Cache"] == "hit"  # of the window that the ragged answer had whole


def test_months_are_windows_of_the_calendar(http: httpx.Client) -> None:
    query = {
        "start": "2025-12-15",
        "stop": "2026-02-01",
        "every": "1mo",
        "tz": "Europe/Berlin",
        "field": "count",
        "fn": "count",
        "tag.meter": "a",
    }
    answer = http.get(BUCKET, params=query)
    assert [(row["_time"], row["_value"]) for row in rows(answer)] == [("2026-02-01T00:00:00+01:00", "120")]
    assert answer.headers["X-Fluxgate-Every"] == "1mo"


def test_months_of_centuries_are_refused(http: httpx.Client) -> None:
    answer = http.get(BUCKET, params={"start": "1800-01-01T00:00:00Z", "every": "1mo"})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_windows")
    assert "1200 is the limit" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "warning", "count"),
    [
        ("field=Volts", "unknown field Volts (near: volts)", 0),
        ("measurement=pwer", "unknown measurement pwer (near: power)", 0),
        ("tag.Meter=a", "unknown tag Meter (near: meter)", 0),
        ("tag.meter=A", "unknown value A of tag meter (near: a)", 0),
        ("measurement=power&field=volts&field=amps", "unknown field amps", 2),
        ("tag.meter=a&tag.meter=zz&field=volts", None, 1),
        ("tag.meter=%3B&field=x%20y", "unknown field x%20y; unknown value %3B of tag meter", 0),
        ("measurement=solar&field=Volts", "unknown measurement solar; unknown field Volts (near: volts)", 0),
        ("tag.meter=", None, 0),
    ],
)
def test_a_name_that_the_bucket_does_not_know_is_named(
    http: httpx.Client, query: str, warning: str | None, count: int
) -> None:
    """The second time, the answer comes from the cache."""
    for _ in range(2):
        answer = http.get(f"{BUCKET}?window=1h&every=1h&{query}")
        assert answer.headers.get("X-Fluxgate-Warning") == warning
        assert len(rows(answer)) == count
        assert ("X-Fluxgate-Newest-Point" in answer.headers) == (count == 0)


def test_many_unknown_names_fit_a_header(http: httpx.Client) -> None:
    names = "&".join(f"field=unknown-field-number-{number}" for number in range(500))
    warning = http.get(f"{BUCKET}?window=1h&{names}").headers["X-Fluxgate-Warning"]
    assert warning.startswith("unknown field unknown-field-number-0; unknown field")
    assert len(warning) < 5000


def test_an_answer_without_rows_says_when_the_newest_point_is(http: httpx.Client) -> None:
    http.post("/buckets", json={"name": "Empty"}).raise_for_status()
    early = http.get(BUCKET, params={"start": "2024-01-01T00:00:00Z", "stop": "2024-02-01T00:00:00Z", "format": "json"})
    assert early.json()["rows"] == []
    assert early.headers["X-Fluxgate-Newest-Point"] == "2026-01-01T11:59:00Z"
    assert "X-Fluxgate-Warning" not in early.headers
    assert http.get("/buckets/Empty").headers["X-Fluxgate-Newest-Point"] == "none"
    assert "X-Fluxgate-Newest-Point" not in http.get(BUCKET, params={"window": "1h"}).headers


def test_too_many_windows_are_refused_with_their_number(http: httpx.Client) -> None:
    answer = http.get(BUCKET, params={"window": "52w", "every": "1s"})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_windows")
    assert "31449600 windows" in answer.json()["detail"]


def test_a_window_longer_than_the_range_is_answered(http: httpx.Client) -> None:
    found = rows(http.get(BUCKET, params={"window": "1h", "every": "30d", "field": "count", "fn": "count"}))
    assert [(row["_time"], row["_value"], row["meter"]) for row in found] == [
        ("2026-01-01T12:00:00Z", "60", "a"),
        ("2026-01-01T12:00:00Z", "60", "b"),
    ]


def test_filters_by_tag_mean_or_within_and_and_between(http: httpx.Client) -> None:
    both = http.get(f"{BUCKET}?window=1h&every=1h&field=volts&tag.meter=a&tag.meter=b")
    one = http.get(f"{BUCKET}?window=1h&every=1h&field=volts&tag.meter=a")
    none = http.get(f"{BUCKET}?window=1h&every=1h&field=volts&tag.meter=a&tag.site=x")
    assert [len(rows(answer)) for answer in (both, one, none)] == [2, 1, 0]


@pytest.mark.parametrize("shape", ["long", "wide"])
@pytest.mark.parametrize("every", ["1h", "raw"])
def test_an_empty_tag_value_selects_nothing_alone_and_changes_nothing_in_a_list(
    http: httpx.Client, shape: str, every: str
) -> None:
    asked = f"{BUCKET}?window=1h&every={every}&field=volts&shape={shape}"
    assert rows(http.get(f"{asked}&tag.meter=")) == []
    alone = rows(http.get(f"{asked}&tag.meter=a"))
    assert alone
    assert (
        rows(http.get(f"{asked}&tag.meter=&tag.meter=a")) == rows(http.get(f"{asked}&tag.meter=a&tag.meter=")) == alone
    )


def test_a_text_field_asked_for_by_name_is_answered_with_last(http: httpx.Client) -> None:
    answer = http.get(BUCKET, params={"window": "1h", "every": "1h", "field": "mode"})
    assert [row["_value"] for row in rows(answer)] == ["day", "day"]
    assert "X-Fluxgate-Skipped-Fields" not in answer.headers


def test_times_are_printed_in_the_zone(http: httpx.Client) -> None:
    found = rows(http.get(BUCKET, params={"window": "1h", "every": "1h", "field": "volts", "tz": "Asia/Kolkata"}))
    assert [row["_time"] for row in found[:2]] == ["2026-01-01T17:00:00+05:30", "2026-01-01T17:30:00+05:30"]


def test_gzip_when_asked(http: httpx.Client) -> None:
    plain = http.get(BUCKET, params={"every": "raw"})
    with http.stream("GET", BUCKET, params={"every": "raw"}, headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content) / 3


def test_an_unknown_bucket_is_404_with_near_names(http: httpx.Client) -> None:
    answer = http.get("/buckets/Power%20Consumtion")
    assert (answer.status_code, answer.json()["code"], answer.json()["near"]) == (
        404,
        "unknown_bucket",
        ["Power Consumption"],
    )


@pytest.mark.parametrize(
    "name", ["a/b", "ein Name", "${x}", "back\\slash", "100%", "%2F", "🌡 emoji", "q'uote", "?x=1", "#h"]
)
def test_any_bucket_name_can_be_made_written_and_read(http: httpx.Client, name: str) -> None:
    path = quote(name, safe="").replace("..", "%2E%2E")
    assert http.post("/buckets", json={"name": name}).json()["created"] == [name]
    written = http.post(
        f"/buckets/{path}/points", content=b"m f=1 1767265200000000000", headers={"Content-Type": "text/plain"}
    )
    assert written.json()["stored"] == 1
    assert len(rows(http.get(f"/buckets/{path}", params={"every": "raw"}))) == 1
    assert http.get(f"/buckets/{path}/schema").json()["bucket"] == name


def test_an_empty_bucket_gives_a_header_and_no_rows(http: httpx.Client) -> None:
    http.post("/buckets", json={"name": "empty"})
    assert http.get("/buckets/empty").text == "_time,_value,_field,_measurement\n"
    assert http.get("/buckets/empty?format=json").json()["rows"] == []


def test_an_identical_question_is_answered_from_the_cache_until_points_are_written(http: httpx.Client) -> None:
    closed = {
        "start": "2026-01-01T10:00:00Z",
        "stop": "2026-01-01T11:00:00Z",
        "every": "1h",
        "field": "count",
        "fn": "count",
    }
    asked = [http.get(BUCKET, params=closed) for _ in range(2)]
    assert [answer.headers["X-Fluxgate-Cache"] for answer in asked] == ["miss", "hit; age=0"]
    assert asked[0].text == asked[1].text
    fresh = http.get(BUCKET, params=closed, headers={"Cache-Control": "no-cache"})
    assert fresh.headers["X-Fluxgate-Cache"] == "bypass; reason=asked"
    http.post(
        f"{BUCKET}/points?precision=s",
        content=b"power,meter=a count=7i 1767261601",
        headers={"Content-Type": "text/plain"},
    )
    after = http.get(BUCKET, params=closed)
    assert after.headers["X-Fluxgate-Cache"] == "miss"
    assert [row["_value"] for row in rows(after)] == ["61", "60"]


@pytest.mark.parametrize(
    "address",
    [
        "/buckets/Power%20Consumption?measurement=m%FC",
        "/buckets/Power%20Consumption?tag.%FC=a",
        "/buckets/Power%20Consumption?field=%ED%A0%80",
        "/buckets/Power%FC/schema",
        "/telemetry/latest?by=%FC",
    ],
)
def test_a_name_in_an_address_that_is_no_utf_8_is_refused(http: httpx.Client, address: str) -> None:
    """It was taken for the name with U+FFFD in that place, which may be another one's."""
    refused = http.get(address)
    assert (refused.status_code, refused.json()["parameter"]) == (422, "address")
