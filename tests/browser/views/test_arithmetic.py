"""What the views compute, called in the browser: days of slices and points, coverage, and the rows of live tiles."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.test_modules import call
from tests.support.browsers import Visit, visit
from tests.support.gateways import Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
HOUR_MS = 3_600_000
LATEST = """async (documents) => {
    const { LatestRows } = await import(new URL("page/views/live.js", document.baseURI));
    const latest = new LatestRows();
    const changed = documents.map((document) => latest.take(document).size);
    const tiles = latest.tiles("device");
    return [changed, tiles.map(({ title, newest, values }) => [title, newest, values.map(({ value }) => value)])];
}"""


@pytest.fixture(scope="module")
def opened(browser: Browser, gateway: Gateway) -> Iterator[Visit]:
    with visit(browser, gateway.url) as visited:
        visited.open()
        yield visited


def piece(start: str, state: str, points: int) -> dict[str, object]:
    return {"start": start, "state": state, "points": points}


def test_a_day_has_the_worst_state_of_its_slices_and_all_their_points(opened: Visit) -> None:
    slices = [
        piece("2026-01-02T06:00:00Z", "equal", 1),
        piece("2026-01-02T00:00:00Z", "extra", 2),
        piece("2026-01-01T12:00:00Z", "equal", 3),
        piece("2026-01-01T06:00:00Z", "partial", 4),
        piece("2026-01-01T00:00:00Z", "different", 5),
        piece("2025-12-31T00:00:00Z", "equal", 6),
    ]
    assert call(opened, "parts/drawings.js", "daysOf", slices) == [
        {"day": "2025-12-31", "state": "equal", "points": 6},
        {"day": "2026-01-01", "state": "different", "points": 12},
        {"day": "2026-01-02", "state": "extra", "points": 3},
    ]


def test_counts_belong_to_the_day_before_their_stamp_and_the_last_one_to_today(opened: Visit) -> None:
    now_ms = 1_767_268_800_000  # 2026-01-01T12:00:00Z
    rows = [
        {"_time": "2025-12-31T00:00:00Z", "_value": 1},  # all of 30 December
        {"_time": "2026-01-01T00:00:00Z", "_value": 2},
        {"_time": "2026-01-01T00:00:00Z", "_value": 3},  # of another series
        {"_time": "2026-01-01T12:00:00Z", "_value": 4},
    ]
    days = call(opened, "views/overview.js", "pointsByDay", {"rows": rows}, now_ms)
    assert [(day["day"], day["points"]) for day in days if day["points"]] == [
        ("2025-12-30", 1),
        ("2025-12-31", 5),
        ("2026-01-01", 4),
    ]
    assert (len(days), days[0]["day"]) == (14, "2025-12-19")
    assert call(opened, "views/overview.js", "pointsByDay", {"rows": rows, "truncated": True}, now_ms) is None


def levels(visited: Visit, series: dict[str, Any]) -> list[str | None]:
    """The levels of the four hours from 1970 on."""
    found: list[str | None] = call(visited, "views/gaps.js", "levelsOf", series, 0, 4 * HOUR_MS, 4)
    return found


def gap(start: str, stop: str | None) -> dict[str, str | None]:
    return {"start": f"1970-01-01T{start}Z", "stop": None if stop is None else f"1970-01-01T{stop}Z"}


def test_a_point_covers_the_time_up_to_the_expected_distance(opened: Visit) -> None:
    series = {"points": 5, "first": "1970-01-01T00:00:00Z", "expect_s": 600, "silent": False}
    assert levels(opened, {**series, "gaps": []}) == ["all", "all", "all", "all"]
    assert levels(opened, {**series, "gaps": [gap("00:50:00", "02:00:00")]}) == ["all", "none", "all", "all"]
    assert levels(opened, {**series, "gaps": [gap("01:10:00", "01:40:00")]}) == ["all", "most", "all", "all"]
    assert levels(opened, {**series, "gaps": [gap("01:00:00", "02:00:00")]}) == ["all", "some", "all", "all"]
    assert levels(opened, {**series, "gaps": [gap("02:50:00", None)]}) == ["all", "all", "all", "none"]


def test_a_new_series_is_looked_at_from_its_first_point_on(opened: Visit) -> None:
    new = {"points": 5, "first": "1970-01-01T02:00:00Z", "expect_s": 600, "silent": False, "gaps": []}
    assert levels(opened, new) == [None, None, "all", "all"]
    known_before = {**new, "gaps": [gap("00:00:00", "02:00:00")]}
    assert levels(opened, known_before) == ["none", "none", "all", "all"]
    only_before = {"points": 0, "first": None, "expect_s": 600, "silent": True, "gaps": [gap("00:00:00", None)]}
    assert levels(opened, only_before) == ["none"] * 4


def test_only_a_whole_share_is_a_hundred_percent(opened: Visit) -> None:
    shares = [1, 0.999999, 0.5, 0, None]
    texts = [call(opened, "views/gaps.js", "percent", share) for share in shares]
    assert texts == ["100 %", "99.99 %", "50 %", "0 %", "–"]


def test_a_series_that_falls_silent_keeps_its_tile(opened: Visit) -> None:
    def row(device: str, second: int, value: float) -> dict[str, object]:
        labels = {"bucket": "b", "measurement": "real_x", "tags": {"device": device}, "field": "v"}
        return {**labels, "time": f"2026-01-01T00:00:{second:02}Z", "value": value}

    state = {"ts": 0, "rows": [row("d2", 1, 1.5), row("d10", 1, 2)]}
    change = {"ts": 1, "rows": [row("d10", 2, 3)], "removed": [{"device": "d2"}]}
    assert opened.page.evaluate(LATEST, [state, change, change]) == [
        [2, 1, 0],
        [["d2", "2026-01-01T00:00:01Z", [1.5]], ["d10", "2026-01-01T00:00:02Z", [3]]],
    ]
