"""Thousands of names stay usable, and the page works behind a proxy that takes a path prefix away."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import BEGIN_S, Visits
from tests.support.browsers import visit
from tests.support.demanded import or_skip
from tests.support.gateways import Gateway
from tests.support.servers import start_nginx

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
BUCKETS, VALUES, SERIES = 10_000, 5_000, 500
PAGE = Path(__file__).parents[2] / "docs" / "page.md"


def test_thousands_of_buckets_values_and_series_stay_usable(visits: Visits, gateway: Gateway) -> None:
    with gateway.http(120) as http:
        http.post("/buckets", json=[{"name": "Many"}]).raise_for_status()
        lines = [f"many,n=v{number:05} f={number}i {BEGIN_S + number % 60}" for number in range(VALUES)]
        http.post("/buckets/Many/points?precision=s", content="\n".join(lines)).raise_for_status()
    with visits() as visited:
        page = visited.page
        names = [f"bucket {number:05}" for number in range(BUCKETS - 1)]
        listed = {"buckets": [{"name": name} for name in [*names, "Many"]]}
        page.route("**/buckets", lambda route: route.fulfill(json=listed))
        visited.open_signed_in("#/explore")
        page.get_by_role("button", name="Bucket").click()
        assert 100 <= page.locator(".options li").count() <= 200
        expect(page.locator(".picker .hint")).to_contain_text("10,000 of 10,000. 9,800 more: type to filter.")
        page.keyboard.type("many")
        page.keyboard.press("Enter")
        expect(page).to_have_title("Many – Explore – Fluxgate")
        page.get_by_role("button", name="Tag n").click()
        expect(page.locator(".picker .hint").last).to_contain_text("5,000 of 5,000")
        page.keyboard.type("v04999")
        page.get_by_role("checkbox", name="v04999").check()
        page.keyboard.press("Escape")
        visited.settled()
        start = "start=2026-01-01T00:00:00Z&stop=2026-01-01T00:01:00Z"
        wanted = "&".join(f"tag.n=v{number:05}" for number in range(SERIES))
        page.goto(f"{visited.url}/#/explore?bucket=Many&field=f&every=1m&{start}&{wanted}")
        visited.settled()
        expect(page.locator(".rows")).to_contain_text("more columns are not shown here. A download has all of them.")
        expect(page.locator(".signs")).to_contain_text(f"of {SERIES} series")


def test_the_page_works_behind_a_prefix_as_its_document_says(browser: Browser, gateway: Gateway) -> None:
    blocks = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    text = "\n".join(blocks).replace("127.0.0.1:8000", gateway.url.removeprefix("http://"))
    variables, location = text.split("\n\n", 1)
    nginx = or_skip(
        lambda: start_nginx(f"events {{}}\nhttp {{\n{variables}\nserver {{\nlisten 80;\n{location}\n}}\n}}\n")
    )
    try:
        url = f"http://127.0.0.1:{nginx.port}"
        with visit(browser, url) as visited:
            visited.open_signed_in("data/#/explore?bucket=Power&start=2026-01-01T06:00:00Z&stop=2026-01-01T12:00:00Z")
            visited.settled()
            expect(visited.page.locator(".takeaway pre")).to_contain_text(f"{url}/data/buckets/Power?")
            assert all(address.startswith((f"{url}/data/", "blob:")) for address in visited.addresses())
            visited.page.get_by_role("link", name="API").click()
            expect(visited.page.locator(".opblock").first).to_be_visible()
    finally:
        nginx.stop()
