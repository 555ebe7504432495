"""What a person does on the page: orders with their plan first, jobs, keys and configuration."""

import json
import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visits
from tests.support.browsers import PATIENCE_MS
from tests.support.gateways import Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]


def test_a_mirror_runs_after_its_dry_run_was_shown(visits: Visits, gateway: Gateway, plant: str) -> None:
    with visits() as visit, gateway.http() as http:
        visit.open_signed_in("#/mirrors")
        order = visit.page.get_by_role("region", name="Run a mirror")
        order.get_by_role("combobox", name="Mirror").select_option("plant")
        order.get_by_role("button", name="Show what would happen").click()
        confirm = order.get_by_role("button", name="Run it now")
        expect(confirm).to_be_visible()
        expect(order.get_by_role("region", name="Plan")).to_contain_text(plant)
        assert [job["parameters"].get("dry_run") for job in http.get("/jobs?kind=mirror").json()["jobs"]] == [True]
        confirm.click()
        expect(order.get_by_text("succeeded")).to_be_visible()
        assert len(http.get("/jobs?kind=mirror").json()["jobs"]) == 2
        pair = http.get("/mirror/plant").json()["pairs"][0]
        assert (pair["copied_points"], pair["slices"]["different"]) == (576, 0)
        state = visit.page.get_by_role("region", name="State")
        expect(state.get_by_role("img", name=re.compile(r"\d+ equal"))).to_be_visible()


def test_an_order_that_is_changed_loses_its_plan(visits: Visits) -> None:
    with visits() as visit:
        visit.open_signed_in("#/backups")
        order = visit.page.get_by_role("region", name="Back up now")
        choose(order, "Power")
        order.get_by_role("button", name="Show what would happen").click()
        expect(order.get_by_role("button", name="Back up now")).to_be_visible()
        choose(order, "Quiet")
        expect(order.get_by_role("button", name="Back up now")).to_be_hidden()


@pytest.mark.usefixtures("plant")
def test_a_wrong_order_is_answered_in_the_words_of_the_api(visits: Visits) -> None:
    with visits() as visit:
        visit.open_signed_in("#/mirrors")
        order = visit.page.get_by_role("region", name="Run a mirror")
        order.get_by_role("textbox", name="From").fill("soon")
        order.get_by_role("button", name="Show what would happen").click()
        expect(order.get_by_role("alert")).to_contain_text("start")


def test_a_backup_is_ordered_its_bar_moves_and_it_is_cancelled(visits: Visits, gateway: Gateway) -> None:
    with visits() as visit, gateway.http() as http:
        page = visit.page
        visit.open_signed_in("#/backups")
        order = page.get_by_role("region", name="Back up now")
        choose(order, "Power", "Quiet")
        order.get_by_role("button", name="Show what would happen").click()
        expect(order.get_by_role("region", name="Plan").get_by_role("row", name="Power")).to_contain_text("write")
        order.get_by_role("button", name="Back up now").click()
        expect(order.get_by_text(re.compile(r"^[1-9]\d* slices"))).to_be_visible()
        job = http.get("/jobs?kind=backup").json()["jobs"][0]
        page.goto(f"{visit.url}/#/jobs")
        row = page.get_by_role("row", name="backup: Power, Quiet").first
        expect(row).to_contain_text("running")
        begun = int(row.get_by_text(re.compile(r"^\d+ slices")).inner_text().split()[0])
        expect(row.get_by_text(re.compile(rf"^{begun} slices"))).to_be_hidden()
        row.get_by_role("link").click()
        page.get_by_role("button", name=f"Cancel backup {job['id']}").click()
        expect(page.locator(".badge").get_by_text("cancelled", exact=True)).to_be_visible()
        assert http.get(f"/jobs/{job['id']}").json()["state"] == "cancelled"
        page.get_by_role("button", name="Run it again").click()
        expect(page.get_by_role("log")).to_contain_text("Power: 1,728 values", timeout=PATIENCE_MS)
        expect(page.locator(".badge").get_by_text("succeeded", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("complete", exact=True)).to_be_visible()


def test_a_key_is_shown_once_works_and_is_revoked(visits: Visits, gateway: Gateway) -> None:
    with visits() as visit:
        page = visit.page
        visit.open_signed_in("#/keys")
        page.get_by_role("textbox", name="Name").fill("<b>analyst</b> 🌡️")
        page.get_by_role("textbox", name="Buckets").fill("Power")
        page.get_by_role("button", name="Make the key").click()
        key = page.locator("code.secret").inner_text()
        headers = {"X-API-Key": key}
        assert httpx.get(f"{gateway.url}/keys/self", headers=headers).json()["buckets"] == ["Power"]
        page.get_by_role("button", name="I have it").click()
        row = page.get_by_role("row", name="<b>analyst</b> 🌡️")
        expect(row).to_contain_text("valid")
        assert key not in page.content()
        row.get_by_role("button", name="Revoke").click()
        assert httpx.get(f"{gateway.url}/keys/self", headers=headers).status_code == 200
        page.get_by_role("button", name="for good").click()
        expect(page.get_by_text("is revoked.")).to_be_visible()
        assert httpx.get(f"{gateway.url}/keys/self", headers=headers).status_code == 401
        expect(row).to_be_hidden()


def test_who_edits_an_old_version_is_told_and_loses_nothing(visits: Visits, gateway: Gateway) -> None:
    with visits() as visit, gateway.http() as http:
        page = visit.page
        visit.open_signed_in("#/config?section=coordinates")
        text = page.get_by_role("textbox", name="coordinates as JSON")
        expect(text).to_have_value(re.compile("latitude"))
        text.fill('{"latitude": 200}')
        save(page)
        expect(page.get_by_role("alert")).to_contain_text("latitude")
        text.fill('{"latitude": 1,')
        save(page)
        expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
        text.fill('{"latitude": 1, "longitude": 2}')
        http.put("/config/coordinates", json={"latitude": 50, "longitude": 10}).raise_for_status()
        save(page)
        expect(page.get_by_role("alert")).to_contain_text("somebody changed it")
        expect(page.get_by_text("Stored now: version 1")).to_be_visible()
        assert json.loads(text.input_value()) == {"latitude": 1, "longitude": 2}
        assert http.get("/config/coordinates").json()["value"]["latitude"] == 50
        page.get_by_role("button", name="Replace version 1 with this text").click()
        expect(page.get_by_text("Saved as version 2")).to_be_visible()
        assert http.get("/config/coordinates").json()["value"] == {"latitude": 1.0, "longitude": 2.0}


def choose(order: Locator, *buckets: str) -> None:
    order.get_by_role("button", name="Buckets").click()
    for bucket in buckets:
        order.get_by_role("checkbox", name=bucket, exact=True).check()
    order.page.keyboard.press("Escape")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()
