"""Makes the pictures of the page for the documents: each view, light and dark, on a desktop and on a phone.

    PYTHONPATH=.:client python -m tests.browser.screenshots [VIEW ...]

It starts a gateway with the demo's data, so the pictures have other numbers each time, and looks as the code has it.
"""

import contextlib
import io
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser

from service.page.files import STATIC
from tests.support import servers
from tests.support.browsers import DESKTOP, PHONE, Visit, running_browser, visit
from tests.support.gateways import Gateway, running_gateway

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SIZES = {"desktop": DESKTOP, "phone": PHONE}
PLACES = {
    "explore": "explore?bucket=Power+Consumption&measurement=power&field=power&window=7d",
    "gaps": "gaps?bucket=Weather&window=7d",
}
"""Where a view has more to show than without parameters."""
COLOURS = 256
SETTLE_MS = 2500
EMPTY = ("mirrors", "connectors")
"""Views that have nothing to show of the demo."""


def views() -> list[str]:
    """The names of the views in the order of the menu."""
    names = re.findall(r'name: "(\w+)"', (STATIC / "views" / "index.js").read_text())
    return [name for name in names if name not in EMPTY]


def prepare(http: httpx.Client) -> None:
    """Do what makes jobs, backups and keys worth a look."""
    job = http.post("/backup/trigger", json={}).raise_for_status().json()["id"]
    for _ in range(120):
        if http.get(f"/jobs/{job}").json()["state"] not in ("queued", "running"):
            return
        time.sleep(0.5)


def save(picture: bytes, name: str) -> None:
    """Write a picture with few colours, which the page has anyway, as a small file."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    PICTURES.mkdir(exist_ok=True)
    image.save(PICTURES / f"{name}.png", optimize=True)


def look(browser: Browser, gateway: Gateway, names: Iterable[str], scheme: str, size: str) -> None:
    with visit(browser, gateway.url, size=SIZES[size], scheme=scheme) as visited:
        visited.open()
        visited.page.get_by_label("API key").wait_for()
        save(visited.page.screenshot(), f"sign-in-{scheme}-{size}")
        visited.sign_in()
        for name in names:
            show(visited, name)
            save(visited.page.screenshot(full_page=size == "desktop"), f"{name}-{scheme}-{size}")


def show(visited: Visit, name: str) -> None:
    """Go to a view and wait until it has what it asked for. Streams never end, so time decides, and no test."""
    visited.page.goto(f"{visited.url}/#/{PLACES.get(name, name)}")
    visited.page.locator(f".view-{name}").wait_for()
    visited.page.wait_for_timeout(SETTLE_MS)
    again = visited.page.get_by_role("button", name="Refresh")
    if again.count():  # the first picture of a gateway waits for the drawing library
        again.first.click()
        visited.page.wait_for_timeout(SETTLE_MS)


def main(wanted: list[str]) -> None:
    names = wanted or views()
    program = servers.installed("chromium", package="chromium")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(running_browser(program))
        gateway = stack.enter_context(running_gateway(folder, {"FLUXGATE_DEMO": "1"}))
        prepare(stack.enter_context(gateway.http(120)))
        for scheme in ("light", "dark"):
            for size in SIZES:
                look(browser, gateway, names, scheme, size)
    print(f"{len(list(PICTURES.glob('*.png')))} pictures in {PICTURES}")


if __name__ == "__main__":
    main(sys.argv[1:])
