"""What operators copy, tried on a running gateway: alert rules, the dashboard for Grafana, and Excel's queries."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml

from tests.support.demanded import or_skip
from tests.support.demo import running_demo
from tests.support.servers import installed
from tests.support.sheets import table
from tests.support.waiting import until

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
EXCEL = (ROOT / "docs" / "excel.md").read_text()
METRIC = re.compile(r"\bfluxgate_[a-z_]+\b")
NEEDS_A_RUN = ("fluxgate_mirror_", "fluxgate_backup_", "fluxgate_weather_", "fluxgate_silent_", "fluxgate_watch_")
"""Gauges that appear with the first mirror, the first backup, the first weather and the first watch."""
CONNECTOR = {
    "source": {"store": {"bucket": "Weather"}},
    "upstream": {"url": "https://cloud.example/readings"},
    "start": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with running_demo(tmp_path_factory.mktemp("pages")) as environment:
        yield environment


@pytest.fixture
def http(shell: dict[str, str]) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": shell["FLUXGATE_API_KEY"]}
    with httpx.Client(base_url=shell["FLUXGATE_URL"], headers=headers, timeout=60) as client:
        yield client


def test_every_metric_of_the_alerts_is_one_of_the_gateway(http: httpx.Client) -> None:
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    used = {name for rule in rules for name in METRIC.findall(rule["expr"])}
    http.get("/telemetry/latest").raise_for_status()
    http.put("/config/connectors", json={"cloud": CONNECTOR}).raise_for_status()
    until(lambda: {"fluxgate_process_last_seen", "fluxgate_connector_lag"} <= _prefixes(http), 150)
    shown = set(METRIC.findall(http.get("/metrics").text))
    assert {name for name in used - shown if not name.startswith(NEEDS_A_RUN)} == set()
    sources = "".join(file.read_text() for file in (ROOT / "service" / "features").rglob("*.py"))
    for name in used - shown:
        prefix, _, rest = name.rpartition("_last_")
        assert f"{prefix}_last" in sources and rest.split("_")[0] in sources, name


def _prefixes(http: httpx.Client) -> set[str]:
    """The gauges of processes and connectors without their units."""
    shown = METRIC.findall(http.get("/metrics").text)
    return {name.removesuffix("_timestamp_seconds").removesuffix("_seconds") for name in shown}


def test_the_page_names_every_alert() -> None:
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    page = (ROOT / "docs" / "monitoring.md").read_text()
    assert set(re.findall(r"^\| (Fluxgate\w+) \|", page, re.MULTILINE)) == {rule["alert"] for rule in rules}


def test_prometheus_takes_the_alerts_and_fires_for_missing_workers(tmp_path: Path) -> None:
    promtool = or_skip(lambda: installed("promtool", package="prometheus"))
    seen = 'fluxgate_process_last_seen_timestamp_seconds{role="worker"}'
    alert = {"eval_time": "7m", "alertname": "FluxgateNoWorker"}
    fired = [{"exp_labels": {"severity": "critical"}, "exp_annotations": _summary("FluxgateNoWorker")}]
    tests = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [
            {"interval": "1m", "input_series": [{"series": seen, "values": "0x10"}],
             "alert_rule_test": [{**alert, "eval_time": "4m"}, {**alert, "exp_alerts": fired}]},
            {"interval": "1m", "input_series": [{"series": seen, "values": "0+60x10"}], "alert_rule_test": [alert]},
        ],
    }  # fmt: skip
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    for command in (("check", "rules", str(ALERTS)), ("test", "rules", str(tmp_path / "tests.yml"))):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("alert", "series", "values", "at", "severity"),
    [
        ("FluxgateConnectorStopped", 'fluxgate_connector_stopped{connector="cloud"}', "1x5", "1m", "critical"),
        (
            "FluxgateConnectorBehind",
            'fluxgate_connector_lag_seconds{connector="cloud"}',
            "3700+60x30",
            "20m",
            "warning",
        ),
        (
            "FluxgateConnectorAhead",
            'fluxgate_connector_newest_lag_seconds{connector="x"}',
            "-600x5",
            "1m",
            "warning",
        ),
        ("FluxgateConnectorDeadLetters", 'fluxgate_connector_dead_letters{connector="cloud"}', "7x5", "1m", "warning"),
        (
            "FluxgateWeatherOld",
            'fluxgate_weather_last_success_timestamp_seconds{bucket="Weather",place="cloud"}',
            "0x200",
            "181m",
            "warning",
        ),
        ("FluxgateSeriesSilent", 'fluxgate_silent_series{bucket="Weather",watch="roof"}', "7x5", "1m", "warning"),
        ("FluxgateWatchFailed", 'fluxgate_watch_failed{bucket="Weather",watch="roof"}', "1x20", "10m", "warning"),
    ],
)
def test_prometheus_fires_for_connectors_weather_and_watches(
    tmp_path: Path, alert: str, series: str, values: str, at: str, severity: str
) -> None:
    """Once with the wrong value, and once with a fresh one, for which nothing is fired."""
    promtool = or_skip(lambda: installed("promtool", package="prometheus"))
    labels = dict(re.findall(r'(\w+)="([^"]+)"', series))
    summary = _summary(alert)["summary"]
    for name, value in {**{f"$labels.{name}": text for name, text in labels.items()}, "$value": "7"}.items():
        summary = summary.replace(f"{{{{ {name} }}}}", value)
    fired = [{"exp_labels": {"severity": severity, **labels}, "exp_annotations": {"summary": summary}}]
    fresh = "0+60x200" if "timestamp" in series else "0x200"
    rule = {"eval_time": at, "alertname": alert}
    tests = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [
            {"interval": "1m", "input_series": [{"series": series, "values": values}],
             "alert_rule_test": [{**rule, "exp_alerts": fired}]},
            {"interval": "1m", "input_series": [{"series": series, "values": fresh}], "alert_rule_test": [rule]},
        ],
    }  # fmt: skip
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    command = [promtool, "test", "rules", str(tmp_path / "tests.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _summary(alert: str) -> dict[str, str]:
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    return next(rule["annotations"] for rule in rules if rule["alert"] == alert)


def test_every_panel_of_the_dashboard_asks_what_the_gateway_answers(http: httpx.Client) -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "fluxgate.json").read_text())
    values = {variable["name"]: variable["current"]["value"] for variable in dashboard["templating"]["list"]}
    http.post("/backups/prune", json={"dry_run": True}).raise_for_status()
    (last,) = [bucket["last_point"] for bucket in http.get("/buckets").json()["buckets"] if bucket["name"] == "Weather"]
    times = {"__from:date:iso": f"{last[:10]}T00:00:00.000Z", "__to:date:iso": f"{last[:10]}T23:59:59.999Z"}

    def filled(match: re.Match[str]) -> str:
        name, _, form = match[1].partition(":")
        return times.get(match[1]) or (quote(values[name], safe="") if form == "percentencode" else values[name])

    for panel in dashboard["panels"]:
        (target,) = panel["targets"]
        answer = http.get(re.sub(r"\$\{([^}]+)\}", filled, target["url"]))
        assert answer.status_code == 200, (panel["title"], answer.text)
        rows = answer.json()[target["root_selector"]] if target["root_selector"] else [answer.json()]
        assert rows, panel["title"]
        for column in target["columns"]:
            _member(rows[0], column["selector"])


def _member(row: Any, selector: str) -> Any:
    for name in selector.split("."):
        row = row[name]
    return row


def test_every_line_of_the_page_about_excel_works(shell: dict[str, str], tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", EXCEL, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        done = subprocess.run(["sh", "-ec", block], cwd=tmp_path, env=shell, capture_output=True, timeout=60)
        assert done.returncode == 0, (block, done.stderr)
    header, *rows = (tmp_path / "rows.csv").read_text().splitlines()
    assert header.startswith("_time,") and len(rows) > 700
    assert len(table((tmp_path / "power.xlsx").read_bytes())) > 100


def test_excels_queries_ask_what_the_lines_ask(shell: dict[str, str]) -> None:
    """Excel sends the relative path, the query and Basic authentication."""
    queries = re.findall(r'RelativePath = "([^"]+)", Query = \[([^\]]+)\]', EXCEL)
    lines = re.findall(r'"\$FLUXGATE_URL/([^"?]+)\?([^"]+)"', EXCEL)
    asked = [(path, dict(re.findall(r'(\w+) = "([^"]+)"', query))) for path, query in queries]
    assert asked == [(path, dict(pair.split("=") for pair in query.split("&"))) for path, query in lines]
    with httpx.Client(base_url=shell["FLUXGATE_URL"], auth=("excel", shell["FLUXGATE_API_KEY"]), timeout=60) as excel:
        assert {excel.get(f"/{path}", params=query).status_code for path, query in asked} == {200}
        assert excel.get("/buckets", auth=("excel", "wrong")).headers["WWW-Authenticate"].startswith("Basic")
