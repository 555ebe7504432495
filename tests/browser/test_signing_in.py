"""The key: where it is, where it never is, and what a person sees without it or with less of it."""

import json

import pytest
from playwright.sync_api import expect

from service.domain.access import Scope
from service.settings import Settings
from service.wiring import open_keys
from tests.browser.conftest import Visits
from tests.support.gateways import KEY, Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
STORED = "JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])"


def new_key(gateway: Gateway, scopes: list[Scope], buckets: list[str]) -> str:
    settings = Settings(_env_file=None, data_dir=gateway.log.parent, api_key=KEY)  # type: ignore[call-arg, arg-type]
    key, _ = open_keys(settings).create("visitor", scopes, buckets)
    return key


def test_a_key_opens_the_page_and_is_kept_in_this_tab_alone(visits: Visits, gateway: Gateway) -> None:
    with visits() as visit:
        page = visit.page
        visit.open("#/explore?bucket=Power&start=2026-01-01T06:00:00Z&stop=2026-01-01T12:00:00Z")
        expect(page.get_by_label("API key")).to_be_focused()
        assert page.evaluate(STORED) == json.dumps([{}, {}, ""], separators=(",", ":"))
        page.keyboard.type("not-the-key-of-anybody")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This key is not accepted: it is mistyped")
        visit.sign_in()
        expect(page).to_have_title("Power – Explore – Fluxgate")
        visit.settled()
        assert json.loads(page.evaluate(STORED)) == [{"fluxgate.key": KEY}, {}, ""]
        page.reload()
        visit.settled()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert json.loads(page.evaluate(STORED)) == [{}, {}, ""]
        page.go_back()
        page.go_forward()
        expect(page.get_by_label("API key")).to_be_visible()
        assert not any(KEY in address for address in [*visit.addresses(), page.url])
        assert {request.header_value("x-api-key") for request in visit.asked if "/page/" in request.url} == {None}
    assert KEY not in gateway.log.read_text()


def test_a_key_that_ends_leads_back_to_the_sign_in(visits: Visits) -> None:
    with visits() as visit:
        visit.open_signed_in("#/key")
        visit.page.evaluate("sessionStorage.setItem('fluxgate.key', 'fg_00000000_gone_00000000')")
        visit.page.goto(f"{visit.url}/#/explore")
        expect(visit.page.get_by_label("API key")).to_be_visible()
        expect(visit.page.get_by_role("status").first).to_contain_text("it was revoked, or it has expired")
        assert visit.page.evaluate("sessionStorage.length") == 0


def test_what_a_key_may_not_see_is_not_shown(visits: Visits, gateway: Gateway) -> None:
    key = new_key(gateway, [Scope.READ], ["Power"])
    with visits() as visit:
        visit.open_signed_in("#/key", key)
        views = visit.page.get_by_role("navigation").get_by_role("link").all_inner_texts()
        assert {"Explore", "My key"} <= set(views)
        assert not {"Jobs", "Mirrors", "Backups", "Connectors", "Keys", "Configuration"} & set(views)
        expect(visit.page.locator("dl")).to_contain_text(key.split("_")[1])
        visit.page.goto(f"{visit.url}/#/config")
        visit.page.wait_for_load_state("networkidle")
        assert not any("/config" in address.partition("#")[0] for address in visit.addresses())
        expect(visit.page.get_by_role("status").first).to_contain_text("no view “config”, or your key may not see it")
        visit.page.goto(f"{visit.url}/#/explore")
        expect(visit.page.get_by_role("button", name="Bucket Power")).to_be_visible()


def test_a_text_that_is_no_key_is_told_before_it_is_sent(visits: Visits) -> None:
    with visits() as visit:
        visit.open()
        visit.page.get_by_label("API key").fill("ü b")
        visit.page.get_by_role("button", name="Sign in").click()
        expect(visit.page.get_by_role("alert")).to_contain_text("Not a key.")
        assert not any("/keys/self" in address for address in visit.addresses())
