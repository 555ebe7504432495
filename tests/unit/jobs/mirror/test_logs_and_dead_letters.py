"""What a mirror tells: never so much that a log is flooded, never in the way of the work, whatever the text."""

import pytest

from service.domain.timerange import EVER
from service.errors import FluxgateError, StoreDenied, StoreUnavailable
from service.transfer.dead_letter_file import DeadLetters
from service.transfer.run_log import Journal, TargetLog
from tests.support.mirror_faults import Clock, Fails
from tests.support.rows import read
from tests.unit.jobs.mirror.conftest import Stage


@pytest.fixture
def clock() -> Clock:
    return Clock(1_780_000_000.0)


def journal(clock: Clock) -> tuple[Journal, list[tuple[str, str]]]:
    lines: list[tuple[str, str]] = []
    return Journal(lambda level, line: lines.append((level, line)), clock), lines


class TestAFlood:
    def test_beyond_thirty_lines_a_minute_they_are_counted_and_the_count_is_told(self, clock: Clock) -> None:
        told, lines = journal(clock)
        for number in range(1_000):
            told.tell("warning", f"line {number}")
        assert len(lines) == 30
        clock.now += 60
        told.tell("info", "later")
        assert lines[30:] == [("warning", "970 lines were left out, so that this log is not flooded."), ("info", "later")]
        told.tell("info", "and later")
        assert lines[32:] == [("info", "and later")]

    def test_errors_are_always_told(self, clock: Clock) -> None:
        told, lines = journal(clock)
        for _ in range(40):
            told.tell("info", "line")
        told.tell("error", "broken")
        assert lines[-1] == ("error", "broken")


class TestLinesInTheTarget:
    def lines(self, stage: Stage) -> list[str]:
        return [row.shown for row in read(stage.b, "Logging", EVER)]

    @pytest.mark.parametrize(
        "text",
        ['say "x"', "back\\slash", 'end\\"', "line\nfeed", "a,b=c d", "🌡️ Öl", "tab\tnull\0", "", "' OR 1=1 --", '" 5\nLogs Message="forged', "\r\n"],
    )
    def test_any_text_arrives_as_it_is_and_as_one_line(self, stage: Stage, clock: Clock, text: str) -> None:
        TargetLog(stage.b, clock).write("warning", text)
        [row] = read(stage.b, "Logging", EVER)
        assert (row.tags, row.shown) == ((("LOG_LEVEL", "WARNING"),), repr(text))

    def test_a_text_that_is_no_unicode_is_no_reason_to_stop(self, stage: Stage, clock: Clock) -> None:
        TargetLog(stage.b, clock).write("error", "half \ud83c a pair")
        assert self.lines(stage) == ["'half ? a pair'"]

    def test_lines_of_one_moment_are_all_kept_in_their_order(self, stage: Stage, clock: Clock) -> None:
        log = TargetLog(stage.b, clock)
        for number in range(5):
            log.write("info", str(number))
        assert self.lines(stage) == ["'0'", "'1'", "'2'", "'3'", "'4'"]

    @pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreDenied("no")])
    def test_a_target_that_is_down_is_left_alone_for_a_minute_and_nothing_is_raised(self, stage: Stage, clock: Clock, error: FluxgateError) -> None:
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
        assert self.lines(stage) == ["'back'"]

    def test_the_journal_tells_both(self, stage: Stage, clock: Clock) -> None:
        told, lines = journal(clock)
        told.beyond = TargetLog(stage.b, clock)
        told.tell("info", "done")
        assert (lines, self.lines(stage)) == ([("info", "done")], ["'done'"])


class TestDeadLetters:
    def test_each_is_a_line_whatever_it_holds(self, stage: Stage) -> None:
        letters = DeadLetters(stage.folder / "new", "m")
        letters.add([{"value": "line\nfeed 🌡️"}, {"value": "half \ud83c"}])
        letters.add([])
        letters.add([{"value": 3}])
        text = letters.path.read_text(encoding="utf-8", errors="surrogatepass")
        assert text == '{"value": "line\\nfeed 🌡️"}\n{"value": "half \ud83c"}\n{"value": 3}\n'

    def test_a_file_that_is_full_is_put_aside_once(self, stage: Stage) -> None:
        letters = DeadLetters(stage.folder, "m")
        with letters.path.open("wb") as file:
            file.truncate(100_000_001)
        letters.add([{"value": 1}])
        assert letters.path.read_text() == '{"value": 1}\n'
        assert (stage.folder / "rejects-m.old.ndjson").stat().st_size == 100_000_001
