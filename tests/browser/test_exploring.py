"""Explore: what is chosen, shown, zoomed, downloaded and copied, held against the API's own answers."""

import base64
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import expect

from service.encoding.encoders import Format
from tests.browser.conftest import Visits
from tests.support.browsers import Visit
from tests.support.gateways import KEY, Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
RANGE = "start=2026-01-01T06:00:00Z&stop=2026-01-01T12:00:00Z"
VIEW = f"#/explore?bucket=Power&measurement=site&field=power_kw&{RANGE}"


@pytest.fixture
def visit(visits: Visits) -> Iterator[Visit]:
    with visits() as visited:
        visited.open_signed_in(VIEW)
        visited.settled()
        yield visited
        assert visited.errors == []


def place(visit: Visit) -> dict[str, list[str]]:
    """The parameters of the view, as the address has them."""
    return parse_qs(urlsplit(visit.page.url).fragment.partition("?")[2])


def moves(visit: Visit, act: str) -> dict[str, list[str]]:
    """What the address says after a key was pressed on the chart."""
    before = visit.page.url
    visit.page.locator(".plot").press(act)
    expect(visit.page).not_to_have_url(before)
    visit.settled()
    return place(visit)


def test_chart_and_rows_show_the_same_read(visit: Visit, gateway: Gateway) -> None:
    page = visit.page
    picture, rows = (
        next(address for address in visit.addresses() if f"format={form}" in address) for form in ("svg", "csv")
    )
    looks = {"format", "width", "height", "theme", "title", "legend", "shape", "limit"}
    asked = [
        {name: value for name, value in parse_qs(urlsplit(address).query).items() if name not in looks}
        for address in (picture, rows)
    ]
    assert asked[0] == asked[1]
    assert asked[0]["tz"] == ["Europe/Berlin"]
    with gateway.http() as http:
        lines = http.get(rows.removeprefix(gateway.url)).text.splitlines()
    assert page.locator("table tbody tr").count() == len(lines) - 1 > 60
    first = page.locator("table tbody tr").first.locator("td").all_inner_texts()
    time, *values = lines[1].split(",")
    assert first[0] == time[:19].replace("T", " ")
    assert [float(text) for text in first[1:]] == pytest.approx([float(value) for value in values])
    expect(visit.chart()).to_have_attribute("alt", re.compile(r"Chart of Power: 2 series, between [\d.]+ and [\d.]+;"))


def test_the_chart_has_the_pixels_of_all_points(visits: Visits, gateway: Gateway) -> None:
    """What the page shows of a long raw range is read by columns of pixels; this draws each of 2,880 points too."""
    whole = "start=2026-01-01T00:00:00Z&stop=2026-01-02T00:00:00Z"
    with visits(size=(700, 900)) as visit:
        visit.open_signed_in(f"#/explore?bucket=Power&measurement=site&field=power_kw&fn=raw&{whole}")
        shown = pixels(visit.chart().screenshot())
        address = next(address for address in visit.addresses() if "format=svg" in address)
        assert "every=" not in address
        with gateway.http() as http:
            edges = http.get(address.removeprefix(gateway.url)).headers
            asked = parse_qs(urlsplit(address).query) | {
                "every": ["raw"], "start": [edges["X-Fluxgate-Start"]], "stop": [edges["X-Fluxgate-Stop"]]
            }  # fmt: skip
            drawn = http.get("/buckets/Power", params=asked).raise_for_status().content
        visit.page.locator("img.picture").evaluate(
            """(image, data) => new Promise((ready) => { image.onload = ready; image.src = data; })""",
            f"data:image/svg+xml;base64,{base64.b64encode(drawn).decode()}",
        )
        from_all = pixels(visit.page.locator("img.picture").screenshot())
    different = np.abs(shown.astype(int) - from_all.astype(int)).max(axis=2) > 64
    lines = (from_all.max(axis=2).astype(int) - from_all.min(axis=2)) > 64
    assert lines.sum() > 5_000
    assert different.sum() < 0.01 * lines.sum()


def pixels(picture: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def test_dragging_zooms_and_the_browser_goes_back(visit: Visit) -> None:
    page, whole = visit.page, place(visit)
    box = page.locator(".plot").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=4)
    page.mouse.up()
    expect(page).not_to_have_url(re.compile("T06%3A00%3A00Z"))
    visit.settled()
    start, stop = place(visit)["start"][0], place(visit)["stop"][0]
    assert "2026-01-01T07:2" < start < "2026-01-01T07:4"
    assert "2026-01-01T08:5" < stop < "2026-01-01T09:1"
    asked = [parse_qs(urlsplit(address).query) for address in visit.addresses() if "format=svg" in address]
    assert asked[-1]["start"] == [start]
    assert asked[0]["every"] == ["2m"]
    assert asked[-1]["every"] == ["30s"]
    page.go_back()
    expect(page).to_have_url(re.compile("T06%3A00%3A00Z"))
    assert place(visit) == whole


def test_the_chart_zooms_and_moves_by_keys_and_buttons(visit: Visit) -> None:
    assert moves(visit, "+")["start"] == ["2026-01-01T07:30:00Z"]
    assert moves(visit, "ArrowRight")["start"] == ["2026-01-01T09:00:00Z"]
    assert moves(visit, "ArrowLeft")["stop"] == ["2026-01-01T10:30:00Z"]
    assert moves(visit, "-")["stop"] == ["2026-01-01T12:00:00Z"]
    visit.page.get_by_role("button", name="Zoom out").press("Enter")
    expect(visit.page).to_have_url(re.compile("T03%3A00%3A00Z"))
    assert place(visit)["stop"] == ["2026-01-01T15:00:00Z"]
    expect(visit.page.get_by_role("button", name="Zoom out")).to_be_focused()
    moved = moves(visit, "0")
    assert "start" not in moved
    assert "window" not in moved, "24h is the usual window, so the address leaves it out"


def test_the_cursor_reads_the_rows(visit: Visit) -> None:
    box = visit.page.locator(".plot").bounding_box()
    assert box is not None
    visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(visit.page.locator(".readout")).to_contain_text("2026-01-01 10:00:00")
    expect(visit.page.locator(".readout")).to_contain_text("meter=a")


def test_times_are_local_or_utc(visit: Visit) -> None:
    first = visit.page.locator("table tbody td").first
    expect(first).to_contain_text("2026-01-01 07:0")
    visit.page.get_by_label("Times in").select_option("UTC")
    expect(first).to_contain_text("2026-01-01 06:0")
    assert place(visit)["tz"] == ["UTC"]


@pytest.mark.parametrize("raw", [False, True])
def test_a_download_is_the_apis_own_answer(visit: Visit, gateway: Gateway, tmp_path: Path, raw: bool) -> None:
    page = visit.page
    if raw:
        page.get_by_label("Function").select_option("raw")
        expect(page).to_have_url(re.compile("fn=raw"))
        visit.settled()
        expect(page.locator(".rows")).to_contain_text("Cut. The table shows the first 500 rows.")
    for form in Format:
        page.get_by_label("Format").select_option(form.value)
        if form.of_points and not raw:
            page.get_by_role("button", name="Download").click()
            expect(page.locator(".downloads")).to_contain_text("points as they are stored")
            continue
        with page.expect_download() as started:
            page.get_by_role("button", name="Download").click()
        file = tmp_path / form.value
        started.value.save_as(file)
        address = next(address for address in reversed(visit.addresses()) if f"format={form.value}" in address)
        assert "limit=" not in address
        with gateway.http() as http:
            answer = http.get(address.removeprefix(gateway.url)).raise_for_status()
        if form is Format.XLSX:
            assert len(file.read_bytes()) == pytest.approx(len(answer.content), abs=200)  # it has its own date
        else:
            assert file.read_bytes() == answer.content, form
        assert started.value.suggested_filename.startswith("Power.")


def test_the_same_read_runs_elsewhere(visit: Visit, gateway: Gateway) -> None:
    page, texts = visit.page, {}
    for name in ("URL", "curl", "Python", "R", "Power Query", "Link to this view"):
        page.get_by_role("button", name=name, exact=True).click()
        texts[name] = page.locator(".takeaway pre").inner_text()
    assert not any(KEY in text for text in texts.values())
    assert all("YOUR_API_KEY" in texts[name] for name in ("curl", "Python", "R"))
    with gateway.http() as http:
        rows = http.get(texts["URL"].removeprefix(gateway.url)).raise_for_status().text
    assert texts["URL"] in texts["curl"] and texts["URL"] in texts["R"]
    assert urlsplit(texts["URL"]).query in texts["Power Query"]
    scope: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(texts["Python"].replace("YOUR_API_KEY", KEY), scope)
    frame = scope["frame"]
    assert len(frame) == len(rows.splitlines()) - 1 > 60  # type: ignore[arg-type]
    shown = page.locator("table tbody tr").count()
    page.goto(texts["Link to this view"])
    page.reload()
    visit.settled()
    assert place(visit)["tz"] == ["Europe/Berlin"]
    assert page.locator("table tbody tr").count() == shown


def test_what_is_left_out_or_unknown_is_said(visits: Visits) -> None:
    with visits() as visit:
        visit.open_signed_in(f"#/explore?bucket=Power&measurement=site&field=power_kw&field=Nothing&{RANGE}")
        visit.settled()
        expect(visit.page.locator(".signs")).to_contain_text("Not known in this bucket: unknown field Nothing")
        visit.page.goto(f"{visit.url}/#/explore?bucket=Power&measurement=site&{RANGE}")
        expect(visit.page.locator(".signs")).to_contain_text("Left out: site.mode")
        visit.page.goto(f"{visit.url}/#/explore?bucket=Power&field=power_kw&window=1h")
        expect(visit.page.locator(".signs")).to_contain_text("The newest point of the bucket is at 2026-01-02 00:59:00")
        visit.page.get_by_role("button", name="Show it").click()
        expect(visit.page.locator("table tbody tr").first).to_be_visible()
        visit.page.goto(f"{visit.url}/#/explore?bucket=Nothing")
        expect(visit.page.get_by_role("alert")).to_contain_text("There is no bucket 'Nothing'")


def test_everything_is_reached_by_keyboard_alone(visits: Visits) -> None:
    with visits() as visit:
        keyboard, page = visit.page.keyboard, visit.page
        visit.open("#/explore")
        expect(page.get_by_label("API key")).to_be_focused()
        keyboard.type(KEY)
        keyboard.press("Enter")
        page.get_by_role("button", name="Bucket").focus()
        keyboard.press("Enter")
        keyboard.type("pow")
        expect(page.get_by_role("button", name="Power", exact=True)).to_be_visible()
        keyboard.press("ArrowDown")
        keyboard.press("Enter")
        visit.settled()
        assert place(visit)["bucket"] == ["Power"]
        page.get_by_role("button", name="Tag meter").focus()
        keyboard.press("Enter")
        expect(page.get_by_role("checkbox", name="b")).to_be_visible()
        keyboard.press("ArrowDown")
        keyboard.press("ArrowDown")
        keyboard.press("Space")
        keyboard.press("Escape")
        expect(page.get_by_role("button", name="Tag meter b")).to_be_focused()
        assert place(visit)["tag.meter"] == ["b"]


def test_the_address_of_the_api_needs_a_key_all_the_same(gateway: Gateway) -> None:
    assert httpx.get(f"{gateway.url}/buckets/Power?format=svg").status_code == 401
