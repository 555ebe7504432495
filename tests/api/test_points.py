"""POST /buckets/{name}/points and POST /buckets: what is stored, and what is named instead."""

import gzip
import zlib
from collections.abc import Callable

import httpx

from tests.api.conftest import Served, write

BUCKET = "/buckets/Power%20Consumption"
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def test_good_lines_are_counted(http: httpx.Client) -> None:
    answer = write(http, "Power%20Consumption", "m f=1 1767265200\nm f=2 1767265201\n", precision="s")
    assert (answer.status_code, answer.json()) == (
        200,
        {"stored": 2, "bad": [], "bad_count": 0, "refused": [], "refused_count": 0},
    )


def test_one_bad_line_keeps_everything_out_and_is_named(http: httpx.Client) -> None:
    answer = write(http, "Power%20Consumption", "n f=1 1767265200\nn f=\nn f=3 1767265202\n", precision="s")
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["stored"]) == (422, "points_refused", 0)
    assert [one["line"] for one in problem["bad"]] == [2]
    assert "partial=true" in problem["detail"]
    assert http.get(BUCKET, params={"measurement": "n", "every": "raw"}).text.count("\n") == 1


def test_with_partial_the_good_lines_are_stored(http: httpx.Client) -> None:
    answer = write(http, "Power%20Consumption", "n f=1 1767265200\nn f=\n", precision="s", partial="true")
    assert (answer.status_code, answer.json()["stored"], answer.json()["bad"][0]["line"]) == (200, 1, 2)


def test_a_type_conflict_is_named_exactly_and_the_rest_is_stored(http: httpx.Client) -> None:
    answer = write(
        http, "Power%20Consumption", "m f=1 1767265200\nm f=2i 1767265201\nm f=3 1767265202\n", precision="s"
    )
    problem = answer.json()
    assert (answer.status_code, problem["stored"]) == (422, 2)
    assert [(one["line"], one["code"]) for one in problem["refused"]] == [(2, "type_conflict")]


def test_json_points_take_the_same_road(http: httpx.Client) -> None:
    points = [
        {
            "measurement": "j",
            "tags": {"k": "v w"},
            "fields": {"f": 7.0, "i": 7, "b": True, "s": "x"},
            "time": "2026-01-01T11:00:00Z",
        }
    ]
    assert http.post(f"{BUCKET}/points", json=points).json()["stored"] == 1
    found = http.get(BUCKET, params={"measurement": "j", "every": "raw", "format": "json", "shape": "wide"}).json()[
        "rows"
    ]
    assert found == [
        {"_time": "2026-01-01T11:00:00Z", "_measurement": "j", "k": "v w", "b": True, "f": 7.0, "i": 7, "s": "x"}
    ]


def test_a_wrong_json_point_is_named_by_its_place(http: httpx.Client) -> None:
    answer = http.post(
        f"{BUCKET}/points", json=[{"measurement": "j", "fields": {"f": 1}}, {"measurement": "j", "fields": {}}]
    )
    assert (answer.status_code, answer.json()["points"][0]["index"]) == (422, 1)


def test_bodies_that_are_no_json_are_400(http: httpx.Client) -> None:
    for body in (b"{", b'"text"', b"17"):
        answer = http.post(f"{BUCKET}/points", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")


def test_a_gzip_body_is_unpacked(http: httpx.Client) -> None:
    body = gzip.compress(b"g f=1 1767265200000000000\n" * 3)
    assert (
        http.post(f"{BUCKET}/points", content=body, headers={**TEXT, "Content-Encoding": "gzip"}).json()["stored"] == 3
    )


def test_a_gzip_body_may_have_several_members(http: httpx.Client) -> None:
    """`cat a.gz b.gz`, and what writers in blocks make, was refused."""
    body = (
        gzip.compress(b"g f=1 1767265200000000000\n")
        + gzip.compress(b"g f=2 1767265200000000001\ng f=3 17672652")
        + gzip.compress(b"00000000002\n")
    )
    assert (
        http.post(f"{BUCKET}/points", content=body, headers={**TEXT, "Content-Encoding": "gzip"}).json()["stored"] == 3
    )


def test_broken_gzip_and_unknown_codings_are_400(http: httpx.Client) -> None:
    packed = gzip.compress(b"g f=1 1\n")
    for body, coding in (
        (packed[:-6], "gzip"),
        (b"plain", "gzip"),
        (packed + b"x", "gzip"),
        (zlib.compress(b"g f=1"), "deflate"),
    ):
        answer = http.post(f"{BUCKET}/points", content=body, headers={**TEXT, "Content-Encoding": coding})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body"), coding


def test_a_body_over_the_limit_and_a_gzip_bomb_are_413(serve: Callable[..., Served]) -> None:
    client, _ = serve(max_body_mb=1, max_unpacked_mb=2)
    client.post("/buckets", json={"name": "b"})
    large = client.post("/buckets/b/points", content=b"#" * 1_100_000, headers=TEXT)
    bomb = client.post(
        "/buckets/b/points", content=gzip.compress(b"\n" * 300_000_000), headers={**TEXT, "Content-Encoding": "gzip"}
    )
    assert [(answer.status_code, answer.json()["code"]) for answer in (large, bomb)] == [(413, "body_too_large")] * 2
    assert "MAX_BODY_MB" in large.json()["detail"] and "MAX_UNPACKED_MB" in bomb.json()["detail"]


def test_wrong_precision_partial_and_parameters_are_422(http: httpx.Client) -> None:
    for query in ("precision=h", "partial=maybe", "precison=s"):
        answer = http.post(f"{BUCKET}/points?{query}", content=b"m f=1", headers=TEXT)
        assert answer.status_code == 422, query
    assert "precision" in answer.json()["detail"]


def test_an_unknown_bucket_takes_no_points(http: httpx.Client) -> None:
    answer = write(http, "Power", "m f=1")
    assert (answer.status_code, answer.json()["near"]) == (404, [])


def test_buckets_are_made_and_those_that_are_there_left_alone(http: httpx.Client) -> None:
    wanted = [
        {"name": "Lab 1", "description": "Bench", "retention": "30d"},
        {"name": "Power Consumption", "description": "other"},
    ]
    assert http.post("/buckets", json=wanted).json() == {"created": ["Lab 1"], "existing": ["Power Consumption"]}
    found = {one["name"]: one for one in http.get("/buckets").json()["buckets"]}
    assert found["Lab 1"] == {
        "name": "Lab 1",
        "description": "Bench",
        "retention": "30d",
        "last_point": None,
        "note": None,
    }
    assert found["Power Consumption"]["description"] == "two meters"
    assert found["Power Consumption"]["last_point"] == "2026-01-01T11:59:00Z"


def test_a_bucket_that_cannot_be_made_is_422(http: httpx.Client) -> None:
    for wanted in (
        {"name": ""},
        {"name": "_x"},
        {"name": 'a"b'},
        {"name": "a", "retention": "1s"},
        {"name": "a", "retention": "x"},
        {"nam": "a"},
        [],
    ):
        answer = http.post("/buckets", json=wanted)
        assert answer.status_code == (200 if wanted == [] else 422), wanted


def test_the_schema_names_measurements_tags_fields_and_types(http: httpx.Client) -> None:
    assert http.get(f"{BUCKET}/schema").json() == {
        "bucket": "Power Consumption",
        "measurements": [
            {
                "name": "power",
                "tags": ["meter"],
                "fields": [
                    {"name": "count", "types": ["integer"]},
                    {"name": "mode", "types": ["string"]},
                    {"name": "volts", "types": ["float"]},
                ],
                "unreadable": [],
            }
        ],
    }
