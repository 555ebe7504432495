"""`fluxgate connector` against a running gateway: what it prints, and its exit codes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service.cli import build, feature_entries
from service.jobs.forward.counts import Counts
from tests.api.conftest import KEY, Served
from tests.api.test_connector import configured, connectors_of
from tests.support.forwarding import NOON_NS, dead_letter
from tests.support.recording_upstream import Faults, recording_upstream

Serve = Callable[..., Served]
TIMES = ("--start", "2026-01-01T10:00:00Z", "--end", "2026-01-01T11:00:00Z")


@pytest.fixture
def call(serve: Serve) -> Callable[..., Result]:
    """Calls `fluxgate connector …` for a gateway."""
    cli, runner = build([*feature_entries()]), CliRunner()

    def call(served: Served, *words: str) -> Result:
        return runner.invoke(cli, ["connector", *words, "--url", str(served[0].base_url), "--key", KEY])

    return call


def printed(result: Result) -> str:
    """What a command printed. The gateway in this process logs to the same stream."""
    return "".join(line for line in result.stdout.splitlines(keepends=True) if " [info " not in line)


def shown(result: Result) -> Any:
    """The JSON that a command printed at its end."""
    text = printed(result)
    return json.loads(text[text.index("{") :])


def test_a_range_is_sent_and_its_result_printed(serve: Serve, call: Callable[..., Result]) -> None:
    with recording_upstream() as upstream:
        served = configured(serve, upstream.url)
        counted = call(served, "request", "cloud", *TIMES, "--dry-run")
        assert (counted.exit_code, shown(counted)["values"], upstream.requests) == (0, 240, []), counted.output
        ordered = call(served, "request", *TIMES)
        assert (ordered.exit_code, printed(ordered).split()[1]) == (0, "queued"), ordered.output
        sent = call(served, "request", *TIMES, "--wait")
        assert (sent.exit_code, shown(sent)["accepted"]) == (0, 240), sent.output


def test_a_job_that_fails_is_an_exit_code(serve: Serve, call: Callable[..., Result]) -> None:
    with recording_upstream(faults=Faults(status=403)) as upstream:
        served = configured(serve, upstream.url)
        refused = call(served, "request", "cloud", *TIMES, "--wait")
        assert refused.exit_code == 1
        listed = call(served, "list")
        assert "stopped" in printed(listed)
        assert "answered 403" in printed(listed)
        assert "When that is done: fluxgate connector resume cloud" in printed(listed)
        for words in ((), ("--wait",), ("--json",)):
            ran = call(served, "run", "cloud", *words)
            assert (ran.exit_code, printed(ran)) == (1, ""), ran.output
            assert "The connector 'cloud' is stopped: " in ran.stderr and "answered 403" in ran.stderr
            assert "fluxgate connector resume cloud" in ran.stderr
        assert printed(call(served, "resume", "cloud")) == "running\n"


def test_connectors_are_listed_and_shown(serve: Serve, call: Callable[..., Result]) -> None:
    served = configured(serve, "http://127.0.0.1:9/post")
    assert "cloud" in printed(call(served, "list"))
    assert json.loads(printed(call(served, "list", "--json")))[0]["name"] == "cloud"
    assert shown(call(served, "show", "cloud"))["upstream"] == "http://127.0.0.1:9"


def test_a_bookmark_is_shown_set_and_reset(serve: Serve, call: Callable[..., Result]) -> None:
    served = configured(serve, "http://127.0.0.1:9/post")
    assert printed(call(served, "bookmark", "cloud")) == "none\n"
    assert printed(call(served, "bookmark", "cloud", "2026-01-01T10:00:00Z")) == "2026-01-01T10:00:00Z\n"
    assert printed(call(served, "bookmark", "cloud")) == "2026-01-01T10:00:00Z\n"
    assert printed(call(served, "bookmark", "cloud", "--reset")) == "none\n"
    both = call(served, "bookmark", "cloud", "now", "--reset")
    assert (both.exit_code, "Give TIME or --reset, not both." in both.output) == (2, True)


def test_a_bookmark_in_the_future_is_refused_and_changes_nothing(serve: Serve, call: Callable[..., Result]) -> None:
    served = configured(serve, "http://127.0.0.1:9/post")
    refused = call(served, "bookmark", "cloud", "2199-01-01T00:00:00Z")
    assert refused.exit_code == 1
    assert "is in the future: nothing would be sent until then" in str(refused.exception or refused.output)
    assert printed(call(served, "bookmark", "cloud")) == "none\n"


def test_a_run_by_hand_sends_what_the_schedule_would(serve: Serve, call: Callable[..., Result]) -> None:
    with recording_upstream() as upstream:
        served = configured(serve, upstream.url)
        ran = call(served, "run", "cloud", "--wait")
        assert (ran.exit_code, shown(ran)["state"]) == (0, "caught_up"), ran.output


def test_dead_letters_are_printed_replayed_and_removed(serve: Serve, call: Callable[..., Result]) -> None:
    with recording_upstream() as upstream:
        served = configured(serve, upstream.url)
        bookmarks = connectors_of(served).bookmarks
        letters = [{**dead_letter(("s", NOON_NS + number, 1.0)), "tags": {"meter": "a"}} for number in range(3)]
        bookmarks.count("cloud", Counts(), letters)
        lines = printed(call(served, "dead-letters", "cloud")).splitlines()
        assert [json.loads(line)["time_ns"] for line in lines] == [NOON_NS, NOON_NS + 1, NOON_NS + 2]
        replayed = call(served, "replay", "cloud", "--wait")
        assert (replayed.exit_code, shown(replayed)["removed"]) == (0, 3), replayed.output
        assert len(upstream.values) == 3
        assert printed(call(served, "dead-letters", "cloud")) == ""
        assert printed(call(served, "dead-letters", "cloud", "--clear")) == "0 removed\n"


def test_a_connector_that_there_is_not_is_said(serve: Serve, call: Callable[..., Result]) -> None:
    served = configured(serve, "http://127.0.0.1:9/post")
    for words in (("show",), ("run",), ("resume",), ("bookmark",), ("dead-letters",), ("replay",)):
        refused = call(served, *words, "other")
        assert refused.exit_code != 0
        assert "There is no connector 'other'. There are: cloud." in str(refused.exception or refused.output)
