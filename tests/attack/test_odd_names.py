"""Odd names at the routes: refused before anything is stored, or read exactly, or named.

The other names are served all the same.
"""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.support.gateways import Gateway, running_gateway
from tests.support.servers import InfluxServer

NOON = 1_704_110_400_000_000_000
RANGE = "start=2024-01-01T00:00:00Z&stop=2024-01-02T00:00:00Z&format=ndjson"
REFUSED = ["a\0b", "a\rb", "a\nb", "/lead", "tr/", ".", "..", "a/../b", "_x", 'a"b', "db/autogen", "\ud800", "x" * 1001]


@pytest.fixture(scope="module", params=["embedded", "influx"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {} if request.param == "embedded" else of(request.getfixturevalue("influx"))
    with running_gateway(tmp_path_factory.mktemp("gateway"), settings) as started:
        yield started


def of(influx: InfluxServer) -> dict[str, str]:
    return {
        "INFLUXDB_URL": influx.url,
        "INFLUXDB_TOKEN": influx.token,
        "INFLUXDB_ORG": influx.org,
        "CACHE_TELEMETRY_S": "0",
    }


def names(http: httpx.Client) -> list[str]:
    return [one["name"] for one in http.get("/buckets").raise_for_status().json()["buckets"]]


def rows(http: httpx.Client, bucket: str, query: str) -> list[object]:
    answer = http.get(f"/buckets/{quote(bucket, safe='')}?{RANGE}&{query}")
    assert answer.status_code == 200, answer.text
    return [line for line in answer.text.splitlines() if line]


def test_a_bucket_whose_name_could_not_be_read_is_not_made(gateway: Gateway) -> None:
    with gateway.http() as http:
        for name in REFUSED:
            body = b'{"name": "\\ud800"}' if name == "\ud800" else None
            answer = (
                http.post("/buckets", content=body)
                if body
                else http.post("/buckets", json=[{"name": "fine"}, {"name": name}])
            )
            assert answer.status_code == 422, (name, answer.text)
            assert answer.json()["code"] == "invalid_parameter"
        assert "fine" not in names(http)


def test_the_same_bucket_twice_is_made_once_and_two_different_ones_are_refused(gateway: Gateway) -> None:
    with gateway.http() as http:
        twice = [{"name": "Twice", "retention": "30d"}, {"name": "Twice", "retention": "30d"}, {"name": "Other"}]
        assert http.post("/buckets", json=twice).json() == {"created": ["Twice", "Other"], "existing": []}
        assert http.post("/buckets", json=twice).json() == {"created": [], "existing": ["Twice", "Other"]}
        refused = http.post(
            "/buckets", json=[{"name": "Pair", "retention": "30d"}, {"name": "Pair", "retention": "31d"}]
        )
        assert refused.status_code == 422
        assert "'Pair' stands twice" in refused.json()["detail"]
        assert "Pair" not in names(http)


def test_coordinates_that_are_no_numbers_are_refused(gateway: Gateway) -> None:
    with gateway.http() as http:
        for value, member in (({"latitude": "12"}, "latitude"), ({"longitude": True}, "longitude")):
            refused = http.put("/config/coordinates", json=value)
            assert (refused.status_code, refused.json()["parameter"]) == (422, member)
        assert http.get("/config/coordinates").json()["version"] == 0


@pytest.mark.parametrize("key", ["@x", "a@b", "$", "Time", "k'", "%41"])
def test_a_filter_on_an_odd_tag_key_gives_the_row_raw_and_in_windows(gateway: Gateway, key: str) -> None:
    bucket = f"Odd {quote(key, safe='')}"
    with gateway.http() as http:
        http.post("/buckets", json={"name": bucket}).raise_for_status()
        sent = http.post(
            f"/buckets/{quote(bucket, safe='')}/points",
            content=f"m,{key}=v f=1 {NOON}\nm f=2 {NOON}\n",
            headers={"Content-Type": "text/plain"},
        )
        assert sent.json()["stored"] == 2, sent.text
        for query in ("every=raw", "every=1h&fn=last"):
            assert len(rows(http, bucket, f"{query}&tag.{quote(key, safe='')}=v")) == 1
            assert rows(http, bucket, f"{query}&tag.{quote(key, safe='')}=") == []
            assert (
                len(rows(http, bucket, f"{query}&shape=wide&tag.{quote(key, safe='')}=v&tag.{quote(key, safe='')}="))
                == 1
            )


def test_a_tag_value_with_a_nul_is_found(
    start_gateway: Callable[..., Gateway], influx: InfluxServer, influx_bucket: str
) -> None:
    """502 before: InfluxQL's scanner ends at NUL."""
    influx.write(influx_bucket, f"m,k=a\0b f=1 {NOON}\nm,k=a f=2 {NOON}\nm,k=ab f=3 {NOON}\n")
    with start_gateway(**of(influx)).http() as http:
        for query in ("every=raw", "every=1h&fn=last"):
            (row,) = rows(http, influx_bucket, f"{query}&tag.k=a%00b")
            assert '"k":"a\\u0000b"' in row  # type: ignore[operator]


def test_odd_buckets_and_series_leave_the_shared_routes_to_the_others(
    start_gateway: Callable[..., Gateway], influx: InfluxServer
) -> None:
    """Made past the gateway: 502 for everybody before."""
    for bucket in ("good", "db", "db/autogen", "tr/", "/lead", "nul\0", "cr\r"):
        influx.write(bucket, f"real_x f=1 {NOON}\n")
    influx.write("raw bytes", b"real_x,k=\xff f=1 %d\n" % NOON)
    influx.write("good", f"real_y,k\0=v\0 g\0=2 {NOON}\nreal_\0z f=3 {NOON}\n")
    with start_gateway(**of(influx)).http() as http:
        listed = {one["name"]: one for one in http.get("/buckets").raise_for_status().json()["buckets"]}
        assert {name: listed[name]["last_point"] for name in ("good", "/lead", "nul\0", "db/autogen")} == dict.fromkeys(
            ("good", "/lead", "nul\0", "db/autogen"), "2024-01-01T12:00:00Z"
        )
        latest = http.get("/telemetry/latest?lookback=5000w").raise_for_status()
        assert latest.headers["X-Fluxgate-Unread-Buckets"] == "%2Flead,cr%0D,db%2Fautogen,nul%00,tr%2F"
        assert latest.headers["X-Fluxgate-Unread-Measurements"] == "raw%20bytes.real_x"
        assert latest.json()["values"]["good/real_x"] == {"f": 1.0}
        assert latest.json()["values"]["real_y"] == {"g\0": 2.0}
        named = http.get("/telemetry/latest?lookback=5000w&bucket=nul%00")
        assert (named.status_code, "Rename it" in named.json()["detail"]) == (422, True)
        assert http.get(f"/buckets/nul%00?{RANGE}").status_code == 422
