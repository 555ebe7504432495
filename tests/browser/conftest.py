"""A gateway with known points, and a browser, both shared by the tests of the page."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest
from playwright.sync_api import Browser

from tests.support import servers
from tests.support.browsers import Visit, running_browser, visit
from tests.support.demanded import or_skip
from tests.support.gateways import Gateway, running_gateway

BEGIN_S = 1_767_225_600
"""2026-01-01T00:00:00Z"""
MINUTES = 24 * 60
HOSTILE = (
    "<script>window.hit=1</script>",
    "'><img src=x onerror=window.hit=1>",
    "🌡️ naïve \u202egnp.exe",
    "مرحبا بالعالم",
    "L" + "o" * 998 + "g",
)
"""Names that markup, direction or length would break."""
Visits = Callable[..., AbstractContextManager[Visit]]


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """An embedded store with the bucket `Power`, one minute apart, and one bucket for each hostile name."""
    with running_gateway(tmp_path_factory.mktemp("page"), {}) as running:
        with running.http() as http:
            http.post("/buckets", json=[{"name": name} for name in ("Power", "Other", *HOSTILE)]).raise_for_status()
            lines = [
                f'site,meter={meter} power_kw={100 * number + minute % 97},count={minute}i,mode="day" '
                f"{BEGIN_S + minute * 60}"
                for number, meter in enumerate(("a", "b"))
                for minute in range(MINUTES)
            ]
            http.post("/buckets/Power/points?precision=s", content="\n".join(lines)).raise_for_status()
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Its driver runs an event loop in this thread; the tests of other modules run theirs here."""
    program = or_skip(lambda: servers.installed("chromium", package="chromium"))
    with running_browser(program) as running:
        yield running


@pytest.fixture
def visits(browser: Browser, gateway: Gateway) -> Visits:
    """Makes visits to the page of the gateway."""
    return partial(visit, browser, gateway.url)
