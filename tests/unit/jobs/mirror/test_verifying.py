"""Both sides are proven equal to the bit, or the difference is found: also when the target lies."""

from typing import Any

import pytest

from service.domain.durations import parse_duration
from service.domain.timerange import EVER, format_time
from service.errors import InvalidParameter, MirrorIncomplete
from tests.support.mirror_faults import PLANTED, AltersLines
from tests.support.mirrors import B
from tests.support.rows import store_all
from tests.unit.jobs.mirror.conftest import Stage, equal, fill

DAY = parse_duration("1d", "test")


class TestVerifying:
    def test_equal_sides_are_proven_so(self, stage: Stage) -> None:
        count = fill(stage)
        stage.run()
        found = stage.run(verify=True)
        assert (found["equal"], found["pairs"][0]["points"], found["pairs"][0]["different"]) == (True, count, 0)

    @pytest.mark.parametrize("line", ["cpu,host=h0 u=1 {}", "cpu,host=h0 n=1i {}", "cpu,host=h9 u=0.5 {}"])
    def test_any_difference_is_found_with_its_slice(self, stage: Stage, line: str) -> None:
        fill(stage)
        stage.run()
        store_all(stage.b, "W", line.format(stage.at(0)))
        context = stage.context()
        found = stage.run(context, verify=True)
        assert (found["equal"], found["pairs"][0]["differing"]) == (False, [format_time(stage.at(-0.5))])
        assert context.lines[-1][0] == "error"

    def test_the_difference_is_told_by_hour_and_series(self, stage: Stage) -> None:
        fill(stage)
        stage.run()
        store_all(stage.b, "W", f"cpu,host=h0 u=1 {stage.at(0)}")
        kind = stage.kind
        mirror = kind.registry.get("m")
        found = kind.diff(mirror, "W", type(EVER)(stage.at(-2), stage.at(2)))
        assert (found["equal"], found["hours"], found["complete"]) == (False, 1, True)
        assert found["series"] == [
            {
                "from": format_time(stage.at(0)), "measurement": "cpu", "tags": {"host": "h0"}, "field": "u",
                "type": "double",
                "source_points": 1, "target_points": 1,
            }
        ]  # fmt: skip
        with pytest.raises(InvalidParameter, match="longer than 31d"):
            kind.diff(mirror, "W", EVER)


class TestALyingTarget:
    """The checkers are worth something only if they find what is planted."""

    @pytest.mark.parametrize("alter", PLANTED, ids=lambda alter: alter.__name__)
    def test_verifying_finds_it(self, stage: Stage, alter: Any) -> None:
        store_all(stage.a, "W", f"m v=7i,f=1.5 {stage.at(-90, 123)}\nm v=8i {stage.at(-90, 3456)}")
        stage.stores[B] = AltersLines(stage.b, alter)
        try:
            stage.run(stage.context())
        except MirrorIncomplete:
            assert alter.__name__ == "drops_one_point"
        assert stage.run(stage.context(), verify=True)["equal"] is False
        assert not equal(stage)

    @pytest.mark.parametrize("alter", PLANTED, ids=lambda alter: alter.__name__)
    def test_at_the_latest_the_rescan_finds_it(self, stage: Stage, alter: Any) -> None:
        store_all(stage.a, "W", f"m v=7i,f=1.5 {stage.at(-90, 123)}\nm v=8i {stage.at(-90, 3456)}")
        stage.stores[B] = AltersLines(stage.b, alter)
        with pytest.raises(MirrorIncomplete, match="acknowledged points of 'W' that it does not give back"):
            for _ in range(2):
                stage.run(stage.context())
                stage.wait(31)

    def test_a_point_that_is_lost_once_is_copied_again_in_the_same_run(self, stage: Stage) -> None:
        fill(stage)
        lost = [True]

        def alter(lines: list[str]) -> list[str]:
            return lines[1:] if lost.pop() else lines

        lost[:] = [False] * 9 + [True]
        stage.stores[B] = AltersLines(stage.b, alter)
        assert stage.run(stage.context())["state"] == "equal"
        assert equal(stage)
