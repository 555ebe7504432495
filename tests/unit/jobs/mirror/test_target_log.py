"""The log of a mirror inside its target: never in the way of the work, whatever the text."""

import pytest

from service.domain.timerange import EVER
from service.errors import FluxgateError, StoreDenied, StoreUnavailable
from service.jobs.mirror.target_log import TargetLog
from service.transfer.run_log import RunLog
from tests.support.clock import Clock
from tests.support.mirror_faults import Fails
from tests.support.rows import read
from tests.unit.jobs.mirror.conftest import Stage


@pytest.fixture
def clock() -> Clock:
    return Clock(1_780_000_000.0)


def lines_in_target(stage: Stage) -> list[str]:
    return [row.shown for row in read(stage.b, "Logging", EVER)]


@pytest.mark.parametrize(
    "text",
    [
        'say "x"',
        "back\\slash",
        'end\\"',
        "line\nfeed",
        "a,b=c d",
        "🌡️ Öl",
        "tab\tnull\0",
        "",
        "' OR 1=1 --",
        '" 5\nLogs Message="forged',
        "\r\n",
    ],
)
def test_any_text_arrives_as_it_is_and_as_one_line(stage: Stage, clock: Clock, text: str) -> None:
    TargetLog(stage.b, clock).write("warning", text)
    [row] = read(stage.b, "Logging", EVER)
    assert (row.tags, row.shown) == ((("LOG_LEVEL", "WARNING"),), repr(text))


def test_a_text_that_is_no_unicode_is_no_reason_to_stop(stage: Stage, clock: Clock) -> None:
    TargetLog(stage.b, clock).write("error", "half \ud83c a pair")
    assert lines_in_target(stage) == ["'half ? a pair'"]


def test_lines_of_one_moment_are_all_kept_in_their_order(stage: Stage, clock: Clock) -> None:
    log = TargetLog(stage.b, clock)
    for number in range(5):
        log.write("info", str(number))
    assert lines_in_target(stage) == ["'0'", "'1'", "'2'", "'3'", "'4'"]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreDenied("no")])
def test_a_target_that_is_down_is_left_alone_for_a_minute_and_nothing_is_raised(
    stage: Stage, clock: Clock, error: FluxgateError
) -> None:
    tries: list[str] = []

    def before(act: str) -> None:
        tries.append(act)
        raise error

    broken = Fails(stage.b, before)
    log = TargetLog(broken, clock)  # type: ignore[arg-type]
    log.write("info", "lost")
    for _ in range(100):
        log.write("info", "not tried")
    assert tries == ["write"]
    clock.now += 60
    broken.before = lambda act: None
    log.write("info", "back")
    assert lines_in_target(stage) == ["'back'"]


def test_a_line_of_a_run_goes_into_the_job_and_into_the_target(stage: Stage, clock: Clock) -> None:
    lines: list[tuple[str, str]] = []
    RunLog([lambda *line: lines.append(line), TargetLog(stage.b, clock).write], clock).write("info", "done")
    assert (lines, lines_in_target(stage)) == ([("info", "done")], ["'done'"])
