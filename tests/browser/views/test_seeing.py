"""What a person sees on the page: the overview, live values, gaps; for eyes and for programs that read pages aloud."""

import json
import re
import time

import httpx
import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import HOSTILE, Visits
from tests.browser.test_safety import serious
from tests.support.browsers import DESKTOP, PATIENCE_MS, PHONE
from tests.support.gateways import Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
VIEWS = (
    "overview",
    "live",
    "gaps?bucket=Power&window=2d",
    "jobs",
    "mirrors",
    "backups",
    "connectors",
    "keys",
    "config",
)


def test_the_overview_tells_what_is_silent_and_how_much_came_each_day(visits: Visits) -> None:
    with visits() as visit:
        page = visit.page
        visit.open_signed_in("#/overview")
        expect(page.get_by_role("region", name="Health")).to_contain_text("1 alive")
        buckets = page.get_by_role("region", name="Buckets").first
        expect(buckets.get_by_role("row", name="Quiet")).to_contain_text("silent")
        power = buckets.get_by_role("row", name="Power")
        expect(power).to_contain_text("live")
        expect(
            power.get_by_role("img", name=re.compile(r"^Points a day, the last 14 days: 0, .*144, \d+$"))
        ).to_be_visible()
        buckets.get_by_role("checkbox", name="only silent ones").check()
        expect(power).to_be_hidden()
        expect(page).to_have_url(re.compile("only=silent"))
        page.reload()
        expect(buckets.get_by_role("row", name="Quiet")).to_be_visible()
        expect(power).to_be_hidden()


def test_a_part_that_fails_says_so_alone_in_the_words_of_the_api(visits: Visits) -> None:
    problem = {
        "title": "Not ready",
        "status": 503,
        "detail": "The state database <b>rests</b>. Try again.",
        "code": "not_ready",
    }

    def refuse(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem))

    with visits() as visit:
        visit.page.route("**/mirror", refuse)
        visit.open_signed_in("#/overview")
        expect(visit.page.get_by_role("region", name="Mirrors").get_by_role("alert")).to_contain_text(problem["detail"])
        expect(visit.page.get_by_role("region", name="Health")).to_contain_text("ready")
        expect(visit.page.get_by_role("region", name="Backups", exact=True)).to_contain_text("backup")
        expect(visit.page.get_by_role("alert")).to_have_count(1)


def test_a_value_arrives_on_the_live_page_and_a_silent_device_is_marked(visits: Visits, gateway: Gateway) -> None:
    with visits() as visit, gateway.http() as http:
        write(
            http,
            f"real_pump,device=north bar=4.25 {time.time_ns()}\n"
            f"real_pump,device=south bar=9 {time.time_ns() - 400 * 10**9}",
        )
        visit.open_signed_in("#/live")
        north = visit.page.get_by_role("listitem").filter(has_text="north")
        expect(north).to_contain_text("4.25")
        expect(north).to_contain_text("live")
        expect(visit.page.get_by_role("listitem").filter(has_text="south")).to_contain_text("silent")
        write(http, f"real_pump,device=north bar=5.75 {time.time_ns()}")
        expect(north).to_contain_text("5.75", timeout=PATIENCE_MS)
        assert visit.errors == [] or all("404" in error for error in visit.errors)


def write(http: httpx.Client, lines: str) -> None:
    http.post("/buckets/Power/points", content=lines).raise_for_status()


def test_the_heat_map_of_500_series_shows_the_silent_ones_first(visits: Visits, gateway: Gateway) -> None:
    now_s = int(time.time())
    with gateway.http() as http:
        http.post("/buckets", json=[{"name": "Many"}]).raise_for_status()
        lines = [
            f"m,n=s{series:03} v=1 {now_s - minute * 60 - (7200 if series == 321 else 0)}"
            for series in range(500)
            for minute in range(0, 180, 10)
        ]
        http.post("/buckets/Many/points?precision=s", content="\n".join(lines)).raise_for_status()
    with visits() as visit:
        page = visit.page
        visit.open_signed_in("#/gaps")
        page.get_by_role("button", name="Bucket").click()
        page.get_by_role("searchbox", name="Filter Bucket").fill("man")
        expect(page.locator(".options li")).to_have_count(1)
        page.keyboard.press("Enter")
        page.get_by_label("Points at least every").fill("15m")
        page.get_by_label("Window").fill("6h")
        page.get_by_role("button", name="Find gaps").click()
        expect(page.get_by_role("region", name="Silent now")).to_contain_text("m v (n=s321) last point 2 h")
        page.get_by_role("button", name="Show 400 more of 400").click()
        rows = page.get_by_role("region", name="Coverage of series").get_by_role("row")
        expect(rows).to_have_count(501)
        expect(rows.nth(1)).to_contain_text("n=s321")
        expect(rows.nth(1).get_by_role("img", name=re.compile(r"covered, \d gaps, silent now"))).to_be_visible()
        page.get_by_role("searchbox", name="Filter series").fill("s077")
        expect(rows).to_have_count(2)
        page.get_by_role("button", name="m v (n=s077)").click()
        expect(page.get_by_text("See its points")).to_be_visible()
        page.reload()
        expect(rows).to_have_count(101)


def test_hostile_names_are_texts_and_nothing_sticks_out_of_a_phone(visits: Visits) -> None:
    with visits(size=PHONE) as visit:
        page = visit.page
        visit.open_signed_in("#/overview")
        for name in HOSTILE:
            expect(page.locator("table bdi", has_text=name).first).to_be_attached()
        for view in VIEWS:
            page.goto(f"{visit.url}/#/{view}")
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        assert page.evaluate("window.hit") is None
        assert page.locator("main script, main img[onerror]").count() == 0


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_axe_finds_nothing_serious_in_any_view(visits: Visits, size: tuple[int, int], scheme: str) -> None:
    with visits(size=size, scheme=scheme) as visit:
        visit.open_signed_in("#/key")
        for view in VIEWS:
            visit.page.goto(f"{visit.url}/#/{view}")
            expect(visit.page.get_by_role("heading", level=1)).to_be_visible()
            expect(visit.page.locator(".busy")).to_have_count(0)
            assert serious(visit.page) == [], view
