"""Swagger UI and ReDoc in a real browser with every other host blocked, as on a plant without internet."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.gateways import KEY, Gateway, running_gateway

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1400,1200",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

READ = "#operations-buckets-read_bucket"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("pages"), {}) as running:
        with running.http() as http:
            http.post("/buckets", json={"name": "Lab 1"}).raise_for_status()
        yield running


@pytest.fixture
def browser(chromium: tuple[str, str], tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = chromium[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path}/profile"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, Service(chromium[1]))
    yield driver
    driver.quit()


def shown(browser: webdriver.Chrome, selector: str) -> WebElement:
    return WebDriverWait(browser, 20).until(
        lambda found: next(iter(found.find_elements(By.CSS_SELECTOR, selector)), None)
    )


def outside(browser: webdriver.Chrome, gateway: Gateway) -> set[str]:
    """Every address beyond the gateway that left the browser; what the page's own policy stopped did not."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    refused = {event["params"]["requestId"] for event in events if event["params"].get("blockedReason") == "csp"}
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    asked = {one["request"]["url"] for one in sent if one["requestId"] not in refused}
    return {
        address for address in asked if not address.startswith((gateway.url, "data:", "blob:", "chrome:", "chrome-"))
    }


def errors(browser: webdriver.Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_swagger_ui_lists_authorizes_and_tries_without_any_other_host(
    gateway: Gateway, browser: webdriver.Chrome
) -> None:
    browser.get(f"{gateway.url}/docs")
    shown(browser, ".opblock")
    documented = sum(len(operations) for operations in json.loads(DOCUMENT.read_text())["paths"].values())
    assert len(browser.find_elements(By.CSS_SELECTOR, ".opblock")) == documented
    shown(browser, "button.authorize").click()
    shown(browser, ".auth-container input").send_keys(KEY)
    shown(browser, ".auth-btn-wrapper button.authorize").click()
    shown(browser, "button.btn-done").click()
    shown(browser, "#operations-buckets-list_buckets .opblock-summary").click()
    shown(browser, "#operations-buckets-list_buckets button.execute").click()
    status = shown(browser, "#operations-buckets-list_buckets .live-responses-table tbody .response-col_status")
    assert status.text.startswith("200")
    shown(browser, f"{READ} .opblock-summary").click()
    shown(browser, f"{READ} tr[data-param-name=name] input").send_keys("Lab 1")
    shown(browser, f"{READ} button.execute").click()
    assert shown(browser, f"{READ} .live-responses-table tbody .response-col_status").text.startswith("200"), (
        "the form's own values do not go together"
    )
    assert outside(browser, gateway) == set()
    assert errors(browser) == []


def test_redoc_shows_the_operations_without_any_other_host(gateway: Gateway, browser: webdriver.Chrome) -> None:
    browser.get(f"{gateway.url}/redoc")
    assert "Fluxgate" in shown(browser, "h1").text
    assert "Read a bucket" in shown(browser, "body").text
    assert outside(browser, gateway) == set()
