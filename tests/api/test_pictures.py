"""Pictures of reads over HTTP: what they say of themselves, what is refused, and who may see them."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from PIL import Image

from service.domain.access import Scope
from service.domain.schema import BucketSpec
from tests.api.conftest import NOW_NS, Served, write

BUCKET = "/buckets/Power%20Consumption"
RANGE = {"start": "2026-01-01T10:00:00Z", "stop": "2026-01-01T12:00:00Z"}


def picture(client: httpx.Client, address: str = BUCKET, **parameters: str) -> httpx.Response:
    answer = client.get(address, params={"format": "svg", **RANGE, **parameters})
    assert answer.status_code == 200, answer.text
    return answer


def texts(answer: httpx.Response) -> list[str]:
    root = ET.fromstring(answer.content)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def members(header: str) -> dict[str, str]:
    return dict(part.split("=") for part in header.split("; "))


def test_a_read_is_drawn(http: httpx.Client) -> None:
    answer = picture(http)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Disposition"].startswith('inline; filename="Power Consumption.svg"')
    assert {"Power Consumption", "All points, 1 Jan 2026 10:00 to 1 Jan 2026 12:00, UTC"} <= set(texts(answer))
    assert {"count, meter=a", "count, meter=b", "volts, meter=a", "volts, meter=b"} <= set(texts(answer))
    assert answer.headers["X-Fluxgate-Drawn"] == "series=4; of=4; not-finite=0"


def test_png_has_the_same_facts(http: httpx.Client) -> None:
    answer = picture(http, format="png", width="500", height="240")
    assert answer.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (500, 240)
    assert answer.headers["X-Fluxgate-Plot"] == picture(http, width="500", height="240").headers["X-Fluxgate-Plot"]


def test_the_header_says_where_the_plot_is_and_what_its_edges_mean(http: httpx.Client) -> None:
    answer = picture(http, field="volts", width="600", height="300")
    plot = members(answer.headers["X-Fluxgate-Plot"])
    assert [plot[name] for name in ("left", "top", "width")] == ["64", "68", "512"]
    assert (plot["start"], plot["stop"]) == (answer.headers["X-Fluxgate-Start"], answer.headers["X-Fluxgate-Stop"])
    assert plot["start"] <= RANGE["start"] and RANGE["stop"] <= plot["stop"]
    assert float(plot["low"]) < 230 and float(plot["high"]) > 232
    without = members(picture(http, field="volts", title="false", legend="false").headers["X-Fluxgate-Plot"])
    assert (without["left"], without["top"]) == ("64", "28")


def test_all_points_are_drawn_where_nothing_else_is_said(http: httpx.Client) -> None:
    plain = picture(http).headers
    assert (plain["X-Fluxgate-Fn"], plain["X-Fluxgate-Every"]) == ("m4", "8267ms")
    windows = picture(http, every="30m")
    assert windows.headers["X-Fluxgate-Fn"] == "mean"
    assert "Mean of each 30m, 1 Jan 2026 10:00 to 1 Jan 2026 12:00, UTC" in texts(windows)
    assert picture(http, fn="max").headers["X-Fluxgate-Every"] == "30m"
    assert "X-Fluxgate-Fn" not in picture(http, every="raw").headers


def test_a_spike_of_one_point_in_a_year_is_seen(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("Year"))
    start_s = NOW_NS // 10**9 - 365 * 86_400
    lines = [f"m v={900 if hour == 4000 else 1} {start_s + hour * 3600 + hour % 7}" for hour in range(8760)]
    write(client, "Year", "\n".join(lines), precision="s").raise_for_status()
    answer = client.get("/buckets/Year", params={"format": "svg", "window": "52w"})
    assert float(members(answer.headers["X-Fluxgate-Plot"])["high"]) > 900


def test_all_of_time_and_an_instant_are_drawn(http: httpx.Client) -> None:
    ever = picture(http, start="1677-09-21T00:12:44Z", stop="2262-04-11T23:47:16Z", field="volts")
    assert ever.headers["X-Fluxgate-Drawn"] == "series=2; of=2; not-finite=0"
    assert {"1700", "1800", "1900", "2000", "2100", "2200"} <= set(texts(ever))
    instant = picture(http, start="2026-01-01T10:00:00Z", stop="2026-01-01T10:00:00.000000001Z", field="volts")
    assert instant.headers["X-Fluxgate-Drawn"] == "series=2; of=2; not-finite=0"


def test_times_are_those_of_the_zone(http: httpx.Client) -> None:
    answer = picture(http, tz="Asia/Tokyo")
    assert "All points, 1 Jan 2026 19:00 to 1 Jan 2026 21:00, Asia/Tokyo" in texts(answer)
    assert "20:00" in texts(answer)


def test_what_is_no_number_is_named(http: httpx.Client) -> None:
    for asked in ({}, {"every": "raw"}, {"field": "mode"}, {"fn": "last"}):
        answer = picture(http, **asked)
        assert answer.headers["X-Fluxgate-Skipped-Fields"] == "power.mode", asked
        assert "Not drawn, as they hold no numbers: power.mode." in texts(answer)


def test_an_empty_answer_is_a_picture_that_says_why(http: httpx.Client) -> None:
    answer = picture(http, start="2025-01-01T00:00:00Z", stop="2025-01-02T00:00:00Z")
    assert {"No numbers in this range", "The newest point of the bucket is at 1 Jan 2026 11:59:00."} <= set(
        texts(answer)
    )
    assert "low" not in members(answer.headers["X-Fluxgate-Plot"])
    assert "The bucket does not know: field vols (near: volts)." in texts(picture(http, field="vols"))


def test_more_series_than_are_drawn_are_counted(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("Many"))
    at_ns = NOW_NS - 60 * 10**9
    write(client, "Many", "\n".join(f"m,t={number:03} v={number} {at_ns}" for number in range(70))).raise_for_status()
    answer = client.get("/buckets/Many", params={"format": "svg", "window": "1h"})
    assert answer.headers["X-Fluxgate-Drawn"] == "series=50; of=70; not-finite=0"
    assert "Only 50 of 70 series are drawn. Select measurements, fields or tags to see others." in texts(answer)
    assert members(answer.headers["X-Fluxgate-Plot"])["high"].startswith("51.")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"width": "10"}, "from 240 to 3840"),
        ({"width": "wide"}, "from 240 to 3840"),
        ({"width": "3841"}, "from 240 to 3840"),
        ({"height": "2161"}, "from 200 to 2160"),
        ({"theme": "drak"}, "Did you mean dark?"),
        ({"title": "no"}, "neither true nor false"),
        ({"legend": "0"}, "neither true nor false"),
        ({"shape": "wide"}, "format=svg is a picture, so shape has no meaning"),
        ({"limit": "5"}, "format=svg is a picture, so limit has no meaning"),
        ({"bom": "true"}, "bom is for CSV"),
        ({"format": "csv", "width": "600"}, "width is for pictures, and this answer is csv"),
        ({"format": "json", "theme": "dark"}, "theme is for pictures"),
        ({"stamp": "start"}, "stamp"),
    ],
)
def test_what_is_no_picture_is_refused(http: httpx.Client, parameters: dict[str, str], words: str) -> None:
    answer = http.get(BUCKET, params={"format": "svg", **RANGE, **parameters})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_document_that_is_opened_by_itself_may_do_nothing(http: httpx.Client) -> None:
    for answer in (picture(http), picture(http), picture(http, format="png")):
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_hostile_names_are_text(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    name = "<script>alert(1)</script> $x^2$ \u202e😀"
    parts.store.create_bucket(BucketSpec(name))
    tag = "t=" + "\"<b>&</b>'".replace(",", "\\,").replace(" ", "\\ ")
    write(client, quote(name, safe=""), f"m,{tag} a=1,b=2 {NOW_NS - 10**9}").raise_for_status()
    answer = client.get(f"/buckets/{quote(name, safe='')}", params={"format": "svg", "window": "1h"})
    assert texts(answer)[0] != name
    assert "<script>alert(1)</script> $x^2$ \ufffd😀" in texts(answer)
    assert b"<script" not in answer.content


def test_the_same_data_has_the_same_bytes_and_tag(http: httpx.Client) -> None:
    first, second = picture(http), picture(http)
    assert first.content == second.content
    assert second.headers["X-Fluxgate-Cache"].startswith("hit")
    tag = second.headers["ETag"]
    unchanged = http.get(BUCKET, params={"format": "svg", **RANGE}, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert second.headers["X-Fluxgate-Plot"] == first.headers["X-Fluxgate-Plot"]
    assert picture(http, theme="dark").content != first.content
    fresh = http.get(BUCKET, params={"format": "svg", **RANGE}, headers={"Cache-Control": "no-cache"})
    assert fresh.content == first.content


def test_a_write_is_in_the_next_picture(http: httpx.Client) -> None:
    before = picture(http, field="volts")
    write(http, "Power%20Consumption", f"power,meter=a volts=500 {NOW_NS - 10**9}").raise_for_status()
    after = picture(http, field="volts")
    assert float(members(before.headers["X-Fluxgate-Plot"])["high"]) < 240
    assert float(members(after.headers["X-Fluxgate-Plot"])["high"]) > 500


def test_svg_is_compressed_and_png_is_not(http: httpx.Client) -> None:
    packed = {"Accept-Encoding": "gzip"}
    asked = {"format": "svg", **RANGE}
    assert http.get(BUCKET, params=asked, headers=packed).headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in http.get(BUCKET, params={**asked, "format": "png"}, headers=packed).headers


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("image/svg+xml", "image/svg+xml"),
        ("image/png", "image/png"),
        ("image/avif,image/webp,image/png,image/*;q=0.8,*/*;q=0.5", "image/png"),
        ("*/*", "text/csv; charset=utf-8"),
    ],
)
def test_a_picture_is_sent_to_those_who_name_it(http: httpx.Client, accept: str, media_type: str) -> None:
    answer = http.get(BUCKET, params=RANGE, headers={"Accept": accept})
    assert answer.headers["Content-Type"] == media_type


def test_head_tells_of_a_picture_without_drawing_it(http: httpx.Client) -> None:
    answer = http.head(BUCKET, params={"format": "svg", **RANGE})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")


def test_a_key_sees_pictures_of_its_buckets_alone(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("Roof"))
    parts.store.create_bucket(BucketSpec("Cellar"))
    key, _ = parts.keys.create("roof", [Scope.READ], buckets=["Roof"])
    writer, _ = parts.keys.create("writer", [Scope.WRITE])
    asked = {"format": "svg", "window": "1h"}
    assert client.get("/buckets/Cellar", params=asked).status_code == 200
    seen = [client.get(f"/buckets/{name}", params=asked, headers={"X-API-Key": key}) for name in ("Roof", "Cellar")]
    assert [answer.status_code for answer in seen] == [200, 404]
    assert client.get("/buckets/Roof", params=asked, headers={"X-API-Key": writer}).status_code == 403
    assert client.get("/buckets/Roof", params=asked, headers={"X-API-Key": "wrong"}).status_code == 401


def test_drawing_is_counted(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("Roof"))
    client.get("/buckets/Roof", params={"format": "svg", **RANGE})
    client.get("/buckets/Roof", params={"format": "svg", **RANGE})
    assert parts.metrics.value("fluxgate_picture_seconds_count") == 1
