"""Answers of InfluxDB, whole, cut at every byte, and wrong: nothing is lost without an error."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.errors import (
    StoreBroken,
    StoreBusy,
    StoreDenied,
    StoreError,
    StoreFailed,
    StoreLimit,
    StoreTimeout,
    StoreUnavailable,
    UnknownBucket,
)
from service.stores.influx.annotated_csv import first_datatype, rows_of
from service.stores.influx.failures import failure, query_failure, reason_of
from service.stores.influx.labels import frames_of
from service.stores.influx.points_csv import PointRows, cut_sections

HEAD = (
    b"#datatype,string,long,dateTime:RFC3339,double,string,string,string\r\n"
    b"#group,false,false,false,false,true,true,true\r\n#default,_result,,,,,,\r\n"
)
FLUX = (
    HEAD + b",result,table,_time,_value,_field,_measurement,host\r\n"
    b",,0,1970-01-01T00:00:00.00000001Z,1.5,f,m,a\r\n,,0,2262-04-11T23:47:16.854775806Z,NaN,f,m,a\r\n,,1,1970-01-01T00:00:00Z,+Inf,f,m,b\r\n\r\n"
    b"#datatype,string,long,dateTime:RFC3339,long,string,string\r\n#group,false,false,false,false,true,true\r\n#default,_result,,,,,\r\n"
    b",result,table,_time,_value,_field,_measurement\r\n,,2,1677-09-21T00:12:43.145224194Z,-9223372036854775808,g,m\r\n\r\n"
)
POINTS = (
    b"name,tags,time,f,i,host\nm,,1,1.5,,a\nm,,-2,,7,\nm,,3,-0,8,b\n\n"
    b"name,tags,fieldKey,fieldType\nm,,f,float\nm,,i,integer\n"
)
FIELDS = [("f", FieldType.FLOAT), ("i", FieldType.INTEGER)]
Shown = list[tuple[object, ...]]


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def flux_rows(chunks: Iterator[bytes]) -> Shown:
    found: Shown = []
    for rows in rows_of(chunks):
        for frame in frames_of(rows, ("host",)):
            columns = [
                frame.column(0).cast(pa.int64()).to_pylist(),
                *(column.to_pylist() for column in frame.columns[1:]),
            ]
            found += [tuple(map(repr, row)) for row in zip(*columns, strict=True)]
    return found


def point_rows(chunks: Iterator[bytes]) -> Shown:
    maker, found = PointRows("m", FIELDS, ("host",)), []
    for lines in cut_sections(chunks):
        for frame in maker.block(lines):
            columns = [
                frame.column(0).cast(pa.int64()).to_pylist(),
                *(column.to_pylist() for column in frame.columns[1:]),
            ]
            found += [tuple(map(repr, row)) for row in zip(*columns, strict=True)]
    return sorted(found)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_flux_is_read_the_same_however_it_arrives(size: int) -> None:
    assert flux_rows(in_pieces(FLUX, size)) == [
        ("10", "1.5", "'f'", "'m'", "'a'"),
        ("9223372036854775806", "nan", "'f'", "'m'", "'a'"),
        ("0", "inf", "'f'", "'m'", "'b'"),
        ("-9223372036854775806", "-9223372036854775808", "'g'", "'m'", "None"),
    ]


@pytest.mark.parametrize("cut", [cut for cut in range(len(FLUX)) if not FLUX[:cut].endswith(b"\r\n\r\n")])
def test_flux_cut_anywhere_but_after_a_blank_line_is_an_error(cut: int) -> None:
    with pytest.raises(StoreBroken):
        flux_rows(in_pieces(FLUX[:cut], 64))


def test_an_answer_without_tables_is_whole() -> None:
    assert flux_rows(iter([b"\r\n"])) == []


def test_an_error_in_the_middle_of_a_200_is_raised_with_its_reason() -> None:
    broken = (
        FLUX[: FLUX.index(b"\r\n\r\n") + 4]
        + b'#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,"it, broke",\r\n'
    )
    with pytest.raises(StoreFailed) as failed:
        flux_rows(in_pieces(broken, 30))
    told = "InfluxDB answered an error. Its log says more; a key with admin is shown its words."
    assert (failed.value.message, failed.value.upstream) == (told, "it, broke")


@pytest.mark.parametrize("body", [b"<html>login</html>\n", b'{"code":"ok"}\n', b"a,b\n1,2\n"])
def test_what_is_no_annotated_csv_is_an_error(body: bytes) -> None:
    with pytest.raises(StoreBroken):
        flux_rows(iter([body]))


def test_the_type_of_the_first_table() -> None:
    assert first_datatype(iter([FLUX])) is FieldType.FLOAT


@given(st.integers(1, 80))
def test_points_are_read_the_same_however_they_arrive(size: int) -> None:
    assert point_rows(in_pieces(POINTS, size)) == [
        ("-2", "7", "'i'", "'m'", "None"),
        ("1", "1.5", "'f'", "'m'", "'a'"),
        ("3", "-0.0", "'f'", "'m'", "'b'"),
        ("3", "8", "'i'", "'m'", "'b'"),
    ]


@pytest.mark.parametrize("cut", range(POINTS.index(b"m,,f,float")))
def test_points_cut_anywhere_before_the_end_mark_are_an_error(cut: int) -> None:
    with pytest.raises(StoreBroken):
        point_rows(in_pieces(POINTS[:cut], 16))


def test_no_points_and_the_end_mark_are_whole() -> None:
    assert point_rows(iter([POINTS[POINTS.index(b"name,tags,fieldKey") :]])) == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>\n",
        b"error\nbad query\n",
        b"name,tags,time,f,i,host\nm,,1,x,,a\n\nname,tags,fieldKey,fieldType\nm,,f,float\n",
    ],
)
def test_points_that_make_no_sense_are_an_error(body: bytes) -> None:
    with pytest.raises(StoreBroken):
        point_rows(iter([body]))


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "says"),
    [
        (401, {}, b'{"code":"unauthorized","message":"unauthorized access"}', StoreDenied, "INFLUXDB_TOKEN"),
        (404, {}, b'{"code":"not found","message":"could not find bucket \\"x\\""}', UnknownBucket, "'x'"),
        (
            404,
            {},
            b'{"code":"not found","message":"organization name \\"o\\" not found"}',
            StoreDenied,
            "Check INFLUXDB_ORG",
        ),
        (429, {"Retry-After": "17"}, b"<html><h1>Too many</h1></html>", StoreBusy, "wait 17 s"),
        (429, {}, b'{"message":"exceeded cardinality limit"}', StoreFailed, "does not reset"),
        (429, {}, b"slow down", StoreBusy, "slow down"),
        (429, {"Retry-After": "²"}, b"", StoreBusy, "slow down"),
        (429, {"Retry-After": "9" * 5000}, b"", StoreBusy, "slow down"),
        (400, {}, b'{"code":"invalid","message":"queue length exceeded"}', StoreBusy, "too many queries"),
        (400, {}, b'{"message":"memory allocation limit reached: limit 1 bytes"}', StoreLimit, "shorter range"),
        (500, {}, b'{"message":"context deadline exceeded"}', StoreTimeout, "ran out of time"),
        (503, {}, b"", StoreUnavailable, "InfluxDB is not ready (503)"),
        (504, {}, b"<html>gateway</html>", StoreTimeout, "InfluxDB gave up (504)"),
        (500, {}, b'{"message":"panic"}', StoreFailed, "an error (500)"),
        (
            301,
            {"Location": "http://x"},
            b"",
            StoreFailed,
            "answers with a redirect (301), and none is followed. Set INFLUXDB_URL",
        ),
        (307, {}, b"", StoreFailed, "answers with a redirect (307)"),
        (404, {}, b'{"message":"database not found: x"}', StoreFailed, "influx v1 dbrp create"),
    ],
)
def test_an_error_answer_says_who_acts(
    status: int, headers: dict[str, str], body: bytes, kind: type[Exception], says: str
) -> None:
    error = failure(status, headers, body, "x")
    assert type(error) is kind
    assert says in str(error)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 408, 418, 422, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "reason",
    ["hunter2", "queue length exceeded hunter2", "memory allocation limit hunter2", "database not found: hunter2",
     "timeout hunter2",
               "cardinality hunter2", "organization hunter2 not found"]
)  # fmt: skip
def test_what_the_server_wrote_is_never_part_of_the_message(status: int, reason: str) -> None:
    error = failure(status, {}, b'{"message": "%s"}' % reason.encode())
    assert "hunter2" not in str(error) + error.message
    assert "hunter2" in error.upstream


def test_what_the_server_wrote_is_one_short_line_without_control_characters() -> None:
    error = failure(500, {}, ("\x1b[2J\x00a\u202eb\nc\u200bd " + "x" * 9_000).encode())
    assert error.upstream.startswith("[2J a b c d xxx")
    assert 490 < len(error.upstream) <= 500


def test_retry_after_is_kept_exactly() -> None:
    error = failure(429, {"retry-after": "123"}, b"")
    assert isinstance(error, StoreBusy) and error.retry_after_s == 123.0


def test_a_reason_is_readable_and_bounded() -> None:
    assert reason_of(b"<html><title>502</title><body>Bad\n gateway</body></html>") == "502 Bad gateway"
    assert len(reason_of(b"x" * 100_000)) == 500
    assert isinstance(query_failure("whatever"), StoreError)
