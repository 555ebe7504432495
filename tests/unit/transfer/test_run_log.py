"""The log of a run: never so much that it is flooded."""

from service.errors import StoreUnavailable
from service.transfer.run_log import RunLog, log_failure
from tests.support.clock import Clock

Lines = list[tuple[str, str]]


def run_log(clock: Clock) -> tuple[RunLog, Lines]:
    lines: Lines = []
    return RunLog([lambda level, line: lines.append((level, line))], clock), lines


def test_beyond_thirty_lines_a_minute_they_are_counted_and_the_count_is_written() -> None:
    clock = Clock(1_780_000_000.0)
    log, lines = run_log(clock)
    for number in range(1_000):
        log.write("warning", f"line {number}")
    assert len(lines) == 30
    clock.now += 60
    log.write("info", "later")
    assert lines[30:] == [("warning", "970 lines were left out, so that this log is not flooded."), ("info", "later")]
    log.write("info", "and later")
    assert lines[32:] == [("info", "and later")]


def test_errors_are_always_written() -> None:
    clock = Clock(1_780_000_000.0)
    log, lines = run_log(clock)
    for _ in range(40):
        log.write("info", "line")
    log.write("error", "broken")
    assert lines[-1] == ("error", "broken")


def test_every_sink_gets_every_line_in_the_same_order() -> None:
    first: Lines = []
    second: Lines = []
    log = RunLog([lambda *line: first.append(line), lambda *line: second.append(line)], Clock(0.0))
    log.write("info", "done")
    log.write("error", "broken")
    assert first == second == [("info", "done"), ("error", "broken")]


def test_an_error_in_a_flood_brings_the_count_along_and_counts_as_a_line() -> None:
    clock = Clock(1_780_000_000.0)
    log, lines = run_log(clock)
    for number in range(29):
        log.write("info", f"line {number}")
    log.write("error", "broken")
    log.write("info", "left out")
    log.write("warning", "left out, too")
    log.write("error", "broken again")
    assert lines[29:] == [
        ("error", "broken"),
        ("warning", "2 lines were left out, so that this log is not flooded."),
        ("error", "broken again"),
    ]
    clock.now += 59.9
    log.write("info", "still the same minute")
    clock.now += 0.1
    log.write("info", "the next one")
    assert lines[32:] == [
        ("warning", "1 lines were left out, so that this log is not flooded."), ("info", "the next one"),
    ]  # fmt: skip


def test_a_minute_begins_with_its_first_line() -> None:
    clock = Clock(1_780_000_000.0)
    log, lines = run_log(clock)
    for _ in range(2):
        for _ in range(30):
            log.write("info", "line")
        clock.now += 60
    assert lines == [("info", "line")] * 60


def test_what_the_other_server_wrote_follows_the_message() -> None:
    lines: Lines = []
    log_failure(lambda *line: lines.append(line), "warning", "It failed.", StoreUnavailable("away", upstream="503"))
    log_failure(lambda *line: lines.append(line), "error", "It failed.", StoreUnavailable("away"))
    assert lines == [("warning", "It failed."), ("upstream", "503"), ("error", "It failed.")]
