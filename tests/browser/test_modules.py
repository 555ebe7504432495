"""The page's own arithmetic and texts, called in the browser: CSV, ranges on clocks that change, and snippets."""

import ast
import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser

from service.domain.selection import Fn
from tests.browser.conftest import HOSTILE
from tests.support.browsers import Visit, visit
from tests.support.gateways import Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
CALL = "([file, name, given]) => import(new URL(file, document.baseURI)).then((module) => module[name](...given))"
DAY_MS = 86_400_000
TEXTS = [*HOSTILE, "", "a,b", 'say "no"', "two\nlines", "\r", "back\\slash", "'", "NaN", "\x7f\x80 \x00", "𝕏"]


@pytest.fixture(scope="module")
def opened(browser: Browser, gateway: Gateway) -> Iterator[Visit]:
    with visit(browser, gateway.url) as visited:
        visited.open()
        yield visited


def call(visited: Visit, file: str, name: str, *given: object) -> Any:
    return visited.page.evaluate(CALL, [f"page/{file}", name, list(given)])


def test_csv_is_read_as_it_was_written(opened: Visit) -> None:
    rows = [["_time", "text", "other"], *([str(n), text, "x"] for n, text in enumerate(TEXTS)), ["9", "last", ""]]
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert call(opened, "explore/csv.js", "parsed", written.getvalue()) == rows
    absent = call(opened, "explore/csv.js", "parsed", '_time,a,b\n1,,""\n,2,\n')
    assert absent == [["_time", "a", "b"], ["1", None, ""], [None, "2", None]]
    assert call(opened, "explore/csv.js", "parsed", "") == []
    with pytest.raises(Exception, match="has no end"):
        call(opened, "explore/csv.js", "parsed", '_time\n"open')


def test_the_cursor_finds_the_nearest_row(opened: Visit) -> None:
    wide = call(
        opened, "explore/csv.js", "tableOf", "_time,m.a,m.b\n1970-01-01T00:00:01Z,1,\n1970-01-01T00:00:03Z,2,3\n"
    )
    assert call(opened, "explore/csv.js", "valuesAt", wide, 1_400) == {"time": 1000, "values": [["m.a", "1"]]}
    assert call(opened, "explore/csv.js", "extent", wide) == {"series": 2, "lowest": 1, "highest": 3}
    long = "_time,_value,_field,_measurement,site\n1970-01-01T00:00:01Z,9007199254740993,count,m,x\n"
    table = call(opened, "explore/csv.js", "tableOf", long)
    assert call(opened, "explore/csv.js", "valuesAt", table, 0)["values"] == [["count{site=x}", "9007199254740993"]]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/St_Johns", "Asia/Kolkata", "Pacific/Apia"])
def test_a_time_on_a_clock_becomes_the_same_moment_again(opened: Visit, zone: str) -> None:
    for day in range(0, 366, 7):
        at_ms = 1_767_225_600_000 + day * DAY_MS + 12 * 3_600_000
        text = call(opened, "explore/ranges.js", "clockText", at_ms, zone)
        local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        assert text == local.strftime("%Y-%m-%dT%H:%M:%S")
        assert call(opened, "explore/ranges.js", "momentOf", text, zone) == at_ms
    assert call(opened, "explore/ranges.js", "momentOf", "no time", zone) is None


@pytest.mark.parametrize(
    ("span_ms", "width", "every"),
    [
        (10, 800, "1ms"),
        (3_600_000, 800, "15s"),
        (DAY_MS, 800, "10m"),
        (DAY_MS, 240, "30m"),
        (7 * DAY_MS, 800, "1h"),
        (365 * DAY_MS, 800, "1w"),
        (200 * 365 * DAY_MS, 800, "1y"),
    ],
)
def test_windows_are_chosen_by_the_width(opened: Visit, span_ms: int, width: int, every: str) -> None:
    chosen = call(opened, "explore/ranges.js", "everyFor", span_ms, width)
    assert chosen == every


def test_ranges_zoom_and_move_and_stay_ranges(opened: Visit) -> None:
    whole = {"from": 0, "to": 1000}
    assert call(opened, "explore/ranges.js", "zoomed", whole, 0.5) == {"from": 250, "to": 750}
    assert call(opened, "explore/ranges.js", "zoomed", whole, 2) == {"from": -500, "to": 1500}
    assert call(opened, "explore/ranges.js", "moved", whole, 0.5) == {"from": 500, "to": 1500}
    tiny = call(opened, "explore/ranges.js", "zoomed", {"from": 0, "to": 10}, 0.5)
    assert tiny["to"] - tiny["from"] >= 10
    assert call(opened, "explore/ranges.js", "resolved", {"start": "later", "stop": "x"}, 0) is None
    backwards = {"start": "2026-01-02T00:00:00Z", "stop": "2026-01-01T00:00:00Z"}
    assert call(opened, "explore/ranges.js", "resolved", backwards, 0) is None


def test_snippets_hold_any_name(opened: Visit) -> None:
    for text in TEXTS:
        pairs = [["window", "1h"], ["field", text], ["tag.a b", text], ["tag.a b", "x"], ["format", "csv"]]
        made = dict(call(opened, "explore/copy.js", "snippets", "http://gate:1/x", text, "buckets/b", pairs))
        query = made["URL"].partition("?")[2]
        assert not set("'\"\\$`!()*") & set(query)
        assert unquote(query.split("&")[1].partition("=")[2]) == text
        assert f"'{made['URL']}'" in made["curl"]
        tree = ast.parse(made["Python"])
        (read,) = [
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "read"
        ]
        options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in read.keywords}
        assert ast.literal_eval(read.args[0]) == text
        assert options == {"window": "1h", "field": text, "tags": {"a b": [text, "x"]}}


def test_every_function_can_be_chosen(opened: Visit) -> None:
    listed = opened.page.evaluate(
        "import(new URL('page/explore/state.js', document.baseURI)).then(({ FUNCTIONS }) => FUNCTIONS)"
    )
    assert {name for name, _ in listed} == {fn.value for fn in Fn} - {Fn.M4} | {"raw"}, "every point stands for m4"


@pytest.mark.parametrize(
    ("name", "unit"),
    [("power_kw", "kW"), ("Flow (m³/h)", "m³/h"), ("humidity [%]", "%"), ("power", ""), ("temperature_celsius", "°C")],
)
def test_units_are_those_that_names_say(opened: Visit, name: str, unit: str) -> None:
    assert call(opened, "format.js", "unitOf", name) == unit
