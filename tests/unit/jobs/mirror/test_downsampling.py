"""Mirrors that copy windows: written at their ends, only when they are over, and put right when a point comes late."""

from typing import Any

from service.domain.durations import parse_duration
from service.domain.series import SeriesKey
from service.domain.timerange import EVER
from tests.support.rows import read, store_all
from tests.unit.jobs.mirror.conftest import Stage, fill

DAY = parse_duration("1d", "test")


class TestDownsampling:
    def windows(self, stage: Stage) -> list[tuple[float, str]]:
        """Hours from now, and values."""
        return [((row.time_ns - stage.now_ns) / (DAY / 24), row.shown) for row in read(stage.b, "W", EVER)]

    def downsample(self, stage: Stage, **members: Any) -> None:
        stage.configure(buckets=["W"], mode="downsample", every="1h", fn="mean", **members)

    def test_windows_are_written_at_their_ends_and_the_last_only_when_it_is_over(self, stage: Stage) -> None:
        hour = DAY // 24
        store_all(stage.a, "W", "\n".join(f"m v={2 * n}i {stage.now_ns - 2 * hour + n * hour // 2}" for n in range(5)))
        stage.wait(1 / 48)
        self.downsample(stage)
        assert stage.run()["state"] == "equal"
        stage.wait(-1 / 48)
        assert self.windows(stage) == [(-1.0, "1.0"), (0.0, "5.0")]
        stage.wait(1 / 24)
        assert stage.pair()["copied_points"] > 0
        stage.wait(-1 / 24)
        assert self.windows(stage) == [(-1.0, "1.0"), (0.0, "5.0"), (1.0, "8.0")]

    def test_a_late_point_changes_its_window_at_the_next_run(self, stage: Stage) -> None:
        self.downsample(stage)
        store_all(stage.a, "W", f"m v=2 {stage.at(-3)}")
        stage.run()
        store_all(stage.a, "W", f"m v=4 {stage.at(-3, 1)}")
        assert stage.pair()["copied_points"] == 1
        assert self.windows(stage) == [(-71.0, "3.0")]
        assert stage.pair()["copied_points"] == 0

    def test_texts_have_no_mean_and_are_left_out(self, stage: Stage) -> None:
        self.downsample(stage)
        store_all(stage.a, "W", f'm v=2,s="x",b=true {stage.at(-3)}')
        assert (stage.run()["state"], self.windows(stage)) == ("equal", [(-71.0, "2.0")])

    def test_verifying_compares_windows(self, stage: Stage) -> None:
        self.downsample(stage)
        store_all(stage.a, "W", f"m v=2 {stage.at(-3)}\nm v=2 {stage.at(-200)}")
        stage.run()
        assert stage.run(verify=True)["equal"] is True
        store_all(stage.b, "W", f"m v=3 {stage.at(-3, 3_600 * 10**9)}")
        assert stage.run(verify=True)["equal"] is False

    def test_deletes_are_followed_window_by_window(self, stage: Stage) -> None:
        self.downsample(stage, follow_deletes=True)
        store_all(stage.a, "W", f"m v=2 {stage.at(-3)}\nm v=2 {stage.at(-3, 3_600 * 10**9)}")
        stage.run()
        stage.a.delete_points("W", SeriesKey("m"), type(EVER)(stage.at(-3), stage.at(-3, 1)))
        assert stage.pair()["deleted"] == 1
        assert self.windows(stage) == [(-70.0, "2.0")]

    def test_a_window_longer_than_a_day_makes_longer_slices(self, stage: Stage) -> None:
        stage.configure(buckets=["W"], mode="downsample", every="36h", fn="count")
        fill(stage)
        assert stage.run()["state"] == "equal"
        assert stage.pair()["copied_points"] == 0
        assert stage.run(verify=True)["equal"] is True
