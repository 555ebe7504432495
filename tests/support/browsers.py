"""A real browser that reaches one gateway and nothing else, and remembers what it asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Route, expect, sync_playwright

from tests.support.gateways import KEY

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
PHONE, DESKTOP = (360, 740), (1280, 900)
PATIENCE_MS = 30_000
"""A guard against a hang: nothing is decided by how long something takes."""


@contextmanager
def running_browser(program: Path) -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page in a profile of its own. `asked`: every request; `outside`: those that were kept from leaving."""

    page: Page
    url: str
    asked: list[Request] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, place: str = "") -> None:
        """Go to a view, such as `#/explore?bucket=Lab`, or to the sign-in."""
        self.page.goto(f"{self.url}/{place}")

    def sign_in(self, key: str = KEY) -> None:
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("navigation").wait_for()

    def open_signed_in(self, place: str = "", key: str = KEY) -> None:
        self.open(place)
        self.sign_in(key)

    def chart(self) -> Locator:
        """The picture, once it is there and nothing newer is under way."""
        self.settled()
        return self.page.locator("img.picture")

    def settled(self) -> None:
        expect(self.page.locator(".seen")).to_have_attribute("aria-busy", "false", timeout=PATIENCE_MS)
        expect(self.page.locator("img.picture")).to_have_js_property("complete", True, timeout=PATIENCE_MS)

    def addresses(self) -> list[str]:
        return [request.url for request in self.asked]


@contextmanager
def visit(
    browser: Browser, url: str, *, size: tuple[int, int] = DESKTOP, scheme: str = "light", zone: str = "Europe/Berlin"
) -> Iterator[Visit]:
    """A visit to the page at `url`. Whatever leads elsewhere is refused, and nothing was asked elsewhere at the end."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id=zone,
        locale="en-GB",
        reduced_motion="reduce",
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    visited = Visit(context.new_page(), url.rstrip("/"))

    def judge(route: Route) -> None:
        if route.request.url.startswith((visited.url, "blob:", "data:")):
            route.continue_()
        else:
            visited.outside.append(route.request.url)
            route.abort()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visited.errors.append(message.text)

    context.route("**/*", judge)
    context.on("request", lambda request: visited.asked.append(request))
    visited.page.on("console", note)
    visited.page.on("pageerror", lambda error: visited.errors.append(str(error)))
    try:
        yield visited
        assert visited.outside == []
    finally:
        context.close()
