"""Whole runs between two embedded stores: what is copied, how little, and what is found again later."""

from pathlib import Path
from typing import Any

import pytest

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.series import SeriesKey
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, format_time
from service.errors import InvalidParameter, MirrorConflict, UnknownBucket
from tests.support.mirrors import A, B, Rig, points, side
from tests.support.rows import read, store_all, write
from tests.support.stores import embedded_store
from tests.unit.jobs.mirror.conftest import Stage, equal, fill

ALL_TYPES = 'm,site=a f=1.5,i=7i,u=18446744073709551615u,s="text ä 🌡️\\"",b=true {}'
DAY = parse_duration("1d", "test")


class TestTheFirstRuns:
    def test_all_five_types_arrive_exactly(self, stage: Stage) -> None:
        store_all(
            stage.a,
            "W",
            "\n".join(
                [
                    ALL_TYPES.format(stage.at(-1, 1)),
                    "m f=-0.0 1",
                    "m f=5e-324 2",
                    "m i=-9223372036854775808i 3",
                    "m f=7 4",
                ]
            ),
        )
        found = stage.pair()
        assert (found["copied_points"], found["slices"]) == (
            9,
            {"equal": 2, "different": 0, "unknown": 0, "partial": 0, "extra": 0},
        )
        assert read(stage.a, "W", EVER) == read(stage.b, "W", EVER)

    def test_the_second_run_copies_nothing(self, stage: Stage) -> None:
        assert stage.pair()["copied_points"] == 0
        assert stage.pair()["copied_points"] == 0
        fill(stage)
        assert stage.pair()["copied_points"] == 62
        assert stage.pair()["copied_points"] == 0

    def test_one_late_point_copies_an_hour_and_not_more(self, stage: Stage) -> None:
        count = fill(stage)
        assert stage.pair()["copied_points"] == count
        store_all(stage.a, "W", f"late v=1i {stage.at(-3, 1)}")
        found = stage.pair()
        assert (found["copied_slices"], found["copied_points"]) == (1, 3)
        assert equal(stage)

    def test_an_empty_bucket_is_equal(self, stage: Stage) -> None:
        assert stage.run()["state"] == "equal"

    def test_the_first_and_the_last_instant_are_copied(self, stage: Stage) -> None:
        """Points of 1677-09-21 were found, not copied, and called equal."""
        store_all(
            stage.a, "W", f"m v=1i {EARLIEST_NS}\nm v=2i {EARLIEST_NS + 1}\nm v=3i {LATEST_NS - 1}\nm v=4i {LATEST_NS}"
        )
        assert stage.pair()["copied_points"] == 4
        assert equal(stage)
        assert stage.pair()["copied_points"] == 0
        assert stage.run(verify=True)["pairs"][0] == {
            "source": "W", "target": "W", "target_lacks_bucket": False, "equal": True, "slices": 2, "points": 4,
            "different": 0, "differing": [],
        }  # fmt: skip

    def test_a_target_that_is_filled_with_the_same_is_compared_and_not_copied(self, stage: Stage) -> None:
        for store in (stage.a, stage.b):
            store_all(store, "W", "\n".join(ALL_TYPES.format(stage.at(-day, 1)) for day in (0, 1, 400)))
        found = stage.pair()
        assert (found["summed"], found["copied_points"], found["slices"]["equal"]) == (3, 0, 3)

    def test_a_target_that_is_filled_with_other_types_is_found_on_the_first_run(self, stage: Stage) -> None:
        store_all(stage.a, "W", f"m v=7i {stage.at(-400)}")
        store_all(stage.b, "W", f"m v=7 {stage.at(-400)}")
        with pytest.raises(MirrorConflict, match="set the mirror's on_conflict to skip or as_string"):
            stage.run()

    def test_a_target_that_is_filled_with_other_values_is_put_right_on_the_first_run(self, stage: Stage) -> None:
        store_all(stage.a, "W", f"m v=7i {stage.at(-400)}")
        store_all(stage.b, "W", f"m v=8i {stage.at(-400)}")
        assert stage.pair()["copied_points"] == 1
        assert equal(stage)


class TestWhatIsFoundLater:
    def test_years_that_are_filled_in_are_found_by_the_daily_count(self, stage: Stage) -> None:
        fill(stage)
        stage.run()
        store_all(stage.a, "W", "\n".join(f"old v={year} {stage.at(-365 * year)}" for year in range(1, 6)))
        stage.wait(0.5)
        assert stage.pair()["copied_points"] == 0
        stage.wait(0.5)
        assert stage.pair()["copied_points"] == 5
        assert equal(stage)

    def test_forecasts_are_copied_at_once_and_an_outlier_in_2262_hinders_nothing(self, stage: Stage) -> None:
        store_all(stage.a, "W", f"out v=1i {LATEST_NS}\nforecast v=1i {stage.at(5)}")
        assert stage.pair()["copied_points"] == 2
        store_all(stage.a, "W", f"forecast v=2i {stage.at(4)}\ncpu v=1i {stage.at(0)}")
        assert stage.pair()["copied_points"] == 2
        store_all(stage.a, "W", f"forecast v=2i {stage.at(300)}")
        assert stage.pair()["copied_points"] == 0
        stage.wait(1)
        assert stage.pair()["copied_points"] == 1
        assert equal(stage)

    @pytest.mark.parametrize(("days_ago", "found_after_days"), [(3, 1), (400, 30)])
    def test_a_value_that_is_overwritten_is_found_by_the_rescan(
        self, stage: Stage, days_ago: int, found_after_days: int
    ) -> None:
        fill(stage)
        store_all(stage.a, "W", f"m v=1i {stage.at(-days_ago)}")
        stage.run()
        store_all(stage.a, "W", f"m v=2i {stage.at(-days_ago)}")
        stage.wait(found_after_days - 0.04)
        stage.run()
        assert not equal(stage)
        stage.wait(0.04)
        stage.run()
        assert equal(stage)

    def test_an_hourly_mirror_gets_through_an_old_bucket_within_a_day(self, stage: Stage) -> None:
        """Once, old slices were looked at only by the daily count, a twenty-fourth of them.

        The last was looked at after 54 days and not 30."""
        store_all(stage.a, "W", "\n".join(f"old v={day}i {stage.at(-day)}" for day in range(100, 172)))
        stage.run()
        store_all(stage.a, "W", "\n".join(f"old v=0i {stage.at(-day)}" for day in range(100, 172)))
        stage.wait(30 - 1 / 24)
        stage.run()
        for _ in range(25):
            stage.wait(1 / 24)
            assert stage.pair()["copied_points"] <= 6
        assert equal(stage)

    def test_more_measurements_are_copied_with_the_next_full_count(self, stage: Stage) -> None:
        store_all(stage.a, "W", f"a v=1 {stage.at(-90)}\nb v=1 {stage.at(-90)}")
        stage.configure(buckets=["W"], measurements=["a"])
        stage.run()
        stage.configure(buckets=["W"])
        stage.wait(1)
        stage.run()
        assert equal(stage)

    def test_another_target_begins_anew(self, stage: Stage, tmp_path: Path) -> None:
        count = fill(stage)
        stage.run()
        stage.stores["http://c.test:8086"] = embedded_store(tmp_path / "c")
        stage.configure(buckets=["W"], target=side("http://c.test:8086"))
        assert stage.pair()["copied_points"] == count


class TestExtraPoints:
    def test_they_are_told_and_not_copied_again_and_again(self, stage: Stage) -> None:
        fill(stage)
        stage.run()
        store_all(stage.b, "W", f"cpu,host=h0 zz=1 {stage.at(-3, 5)}")
        context = stage.context()
        found = stage.run(context)
        assert (found["state"], found["pairs"][0]["slices"]["extra"]) == ("extra", 1)
        assert context.lines[-1][0] == "warning"
        assert "In 1 slice the target has points that the source has not (deleted there?)" in context.lines[-1][1]
        for days in (0, 0, 0.1):
            stage.wait(days)
            assert (stage.pair()["copied_points"], stage.run()["state"]) == (0, "extra")

    def test_values_beside_them_are_kept_equal(self, stage: Stage) -> None:
        """Once, what was found extra or partial was never compared by values again.

        A wrong value beside it stayed for good."""
        store_all(stage.a, "W", f"m v=1i {stage.at(-90)}\nm v=2i {stage.at(-90, 1)}")
        store_all(
            stage.b, "W", f"m v=9i {stage.at(-90)}\nm v=2i {stage.at(-90, 1)}\nm v=3i {stage.at(-90, 3_601 * 10**9)}"
        )
        for _ in range(3):
            stage.wait(1)
            stage.run()
        assert [row.shown for row in read(stage.b, "W", EVER)] == ["1", "2", "3"]
        store_all(stage.a, "W", f"m v=8i {stage.at(-93)}")
        stage.wait(31)
        stage.run()
        assert [row.shown for row in read(stage.b, "W", EVER)] == ["8", "2", "3"]

    def test_without_a_change_they_are_not_copied_at_a_rescan_either(self, stage: Stage) -> None:
        store_all(stage.a, "W", f"m v=1i {stage.at(-90)}")
        store_all(stage.b, "W", f"m v=3i {stage.at(-90, 1)}")
        for _ in range(3):
            stage.run()
            stage.wait(1)
        for _ in range(3):
            stage.wait(31)
            found = stage.pair()
            assert (found["copied_points"], found["summed"], found["slices"]["extra"]) == (0, 1, 1)

    def test_a_measurement_that_the_source_deleted_is_extra(self, stage: Stage) -> None:
        for store in (stage.a, stage.b):
            store_all(store, "W", f"gone v=1 {stage.at(-1)}\nstays v=1 {stage.at(-1)}")
        stage.run()
        stage.a.delete_points("W", SeriesKey("gone"), EVER)
        assert stage.run()["state"] == "extra"

    def test_they_are_removed_only_where_deletes_are_followed_and_a_dry_run_says_which(self, stage: Stage) -> None:
        fill(stage)
        stage.run()
        store_all(stage.b, "W", f"cpu,host=h0 u=9 {stage.at(-3, 5)}\ngone v=1 {stage.at(-4)}")
        stage.configure(buckets=["W"], follow_deletes=True)
        told = stage.pair(dry_run=True)
        removed = [(one["measurement"], one["tags"], one["points"], one["first"]) for one in told["would_delete"]]
        assert removed == [
            ("gone", {}, 1, format_time(stage.at(-4))),
            ("cpu", {"host": "h0"}, 1, format_time(stage.at(-3, 5))),
        ]
        assert not equal(stage)
        assert stage.pair()["deleted"] == 2
        assert equal(stage)


class TestLimits:
    def test_only_measurements_that_fit_a_pattern_are_copied(self, stage: Stage) -> None:
        store_all(stage.a, "W", f"cpu_a v=1 {stage.at(-1)}\ncpu_b v=1 {stage.at(-1)}\nmem v=1 {stage.at(-1)}")
        store_all(stage.b, "W", f"own v=1 {stage.at(-1)}")
        stage.configure(buckets=["W"], measurements=["cpu_*"])
        assert stage.run()["state"] == "equal"
        assert sorted(row.measurement for row in read(stage.b, "W", EVER)) == ["cpu_a", "cpu_b", "own"]

    def test_since_and_history_say_how_far_back(self, stage: Stage) -> None:
        lines = [f"{name} v=1 {stage.at(-days)}" for name in ("cpu", "mem") for days in (1, 5, 20, 50)]
        store_all(stage.a, "W", "\n".join(lines))
        stage.configure(buckets=["W"], since="30d", history={"cp*": "7d"})
        stage.run()
        kept = [(row.measurement, round((stage.now_ns - row.time_ns) / DAY)) for row in read(stage.b, "W", EVER)]
        assert kept == [("cpu", 5), ("cpu", 1), ("mem", 20), ("mem", 5), ("mem", 1)]
        stage.wait(40)
        assert (stage.run()["state"], points(stage.b, "W")) == ("equal", 5)

    def test_a_range_compares_and_copies_only_that(self, stage: Stage) -> None:
        fill(stage)
        found = stage.pair(start=format_time(stage.at(-5.5)), stop=format_time(stage.at(-4.5)))
        assert found["copied_slices"] == 1
        assert 0 < points(stage.b, "W") <= 8
        stage.run()
        assert equal(stage)

    def test_a_range_compares_every_value(self, stage: Stage) -> None:
        fill(stage)
        stage.run()
        store_all(stage.a, "W", f"cpu,host=h1 u=99 {stage.at(-1 / 4)}")
        ever = {"start": format_time(EARLIEST_NS), "stop": format_time(LATEST_NS)}
        assert stage.pair(**ever)["copied_slices"] == 1
        assert equal(stage)

    def test_one_bucket_of_several(self, stage: Stage) -> None:
        stage.a.create_bucket(BucketSpec("V"))
        stage.configure(buckets=["W", {"source": "V", "target": "V2"}])
        store_all(stage.a, "V", "m v=1 1")
        assert [pair["target"] for pair in stage.run(bucket="V")["pairs"]] == ["V2"]
        assert equal(stage, "V", "V2")

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"bucket": "X"}, "does not copy the bucket 'X'. It copies 'W'"),
            ({"bucket": 5}, "bucket=5 is not a text"),
            ({"start": "2026-01-01T00:00:00Z"}, "Give start and stop together"),
            ({"start": "2026-01-01T00:00:00Z", "stop": "2026-01-01T00:00:00Z"}, "stop is not after start"),
            ({"start": 5, "stop": 6}, "start=5 is not a text"),
            ({"start": "yesterday", "stop": "today"}, "is not an RFC 3339 time"),
            ({"dry_run": "false"}, "dry_run='false' is not true or false"),
            (
                {"speed": 5},
                "A mirror has no parameter 'speed'. It has: again, bucket, dry_run, mirror, start, stop, verify",
            ),
            ({"mirror": "x"}, "There is no mirror 'x'. There are: m."),
            ({"mirror": None}, "Name the mirror"),
        ],
    )
    def test_an_order_that_makes_no_sense_is_refused(
        self, stage: Stage, parameters: dict[str, Any], sentence: str
    ) -> None:
        with pytest.raises(InvalidParameter) as caught:
            stage.run(**parameters)
        assert sentence in caught.value.message


class TestBuckets:
    @pytest.mark.parametrize("name", ["it's", "back\\slash", "🌡️ Öl", "a,b=c d", "x" * 200])
    def test_a_name_may_be_anything(self, stage: Stage, name: str) -> None:
        stage.a.create_bucket(BucketSpec(name, "described", 0))
        store_all(stage.a, name, "m v=1i 1")
        stage.configure(buckets=[name])
        assert stage.run()["state"] == "equal"
        assert equal(stage, name, name)
        assert stage.b.bucket(name).description == "described"

    def test_a_bucket_that_the_source_lacks_is_refused(self, stage: Stage) -> None:
        stage.configure(buckets=["w"])
        with pytest.raises(UnknownBucket, match="Did you mean 'W'"):
            stage.run()
        stage.configure(buckets=["X"])
        with pytest.raises(
            UnknownBucket,
            match=r"The source \(a\.test:8086\) has no bucket 'X'\. "
            r"Is it spelled so, and may the mirror's source\.token",
        ):
            stage.run()

    def test_all_buckets_are_copied_and_an_empty_source_has_none(self, stage: Stage, tmp_path: Path) -> None:
        """A source without buckets was refused: "has no bucket None"."""
        stage.a.create_bucket(BucketSpec("V"))
        store_all(stage.a, "V", "m v=1i 1")
        stage.configure(buckets="all")
        assert [pair["source"] for pair in stage.run()["pairs"]] == ["V", "W"]
        assert equal(stage, "V", "V")
        stage.stores[A] = embedded_store(tmp_path / "empty")
        assert stage.run() == {"mirror": "m", "dry_run": False, "state": "equal", "pairs": []}
        with pytest.raises(InvalidParameter, match="has no bucket 'V' that 'm' copies"):
            stage.run(bucket="V")

    def test_a_bucket_that_cannot_be_made_on_the_target_keeps_no_other_from_being_copied(self, stage: Stage) -> None:
        """A source may hold buckets that were made past the gateway, under names that cannot be read through it."""
        store_all(stage.a, "W", "m v=1i 1")
        stage.configure(buckets=[{"source": "W", "target": "/lead"}, "W"])
        with pytest.raises(InvalidParameter, match="No bucket can be named '/lead'"):
            stage.run()
        assert equal(stage, "W", "W")

    def test_two_mirrors_on_one_bucket_are_refused(self, stage: Stage) -> None:
        stage.section["n"] = {"source": side(A), "target": side(B), "buckets": ["W"]}
        with pytest.raises(InvalidParameter, match="both write the bucket 'W'"):
            stage.run()

    def test_a_mirror_of_all_buckets_and_another_of_one_of_them_are_refused(self, stage: Stage) -> None:
        stage.configure(buckets="all")
        stage.configure("n", buckets=["W"], source=side("http://c.test:8086"))
        with pytest.raises(
            InvalidParameter, match=r"The mirrors 'm' and 'n' both write the bucket 'W' of b\.test:8086"
        ):
            stage.run()

    def test_a_dry_run_changes_nothing(self, stage: Stage) -> None:
        fill(stage)
        stage.a.create_bucket(BucketSpec("V"))
        stage.configure(buckets=["W", "V"])
        found = stage.run(dry_run=True)
        assert (found["state"], found["pairs"][0]["slices"]["different"]) == ("different", 21)
        assert ([one.name for one in stage.b.buckets()], points(stage.b, "W")) == (["W"], 0)

    def test_a_dry_run_of_a_mirror_that_was_changed_leaves_what_is_known_of_the_old_one(self, stage: Stage) -> None:
        """It made the next run read every value again."""
        fill(stage)
        stage.pair()
        stage.configure(buckets=["W"], since="30d")
        assert stage.pair(dry_run=True)["slices"]["different"] == 0
        stage.configure(buckets=["W"])
        assert stage.pair()["summed"] == 0

    def test_a_bucket_that_the_target_lacks_is_no_equal_one_and_only_a_run_makes_it(self, stage: Stage) -> None:
        """A dry run left such a pair out and said `equal`; a verification made the bucket."""
        stage.a.create_bucket(BucketSpec("V"))
        stage.configure(buckets=["V"])
        foreseen, verdict = stage.run(dry_run=True), stage.run(verify=True)
        assert (foreseen["state"], foreseen["pairs"][0]["target_lacks_bucket"]) == ("different", True)
        assert (verdict["equal"], verdict["pairs"][0]["target_lacks_bucket"]) == (False, True)
        assert [one.name for one in stage.b.buckets()] == ["W"]
        assert stage.run()["state"] == "equal"
        assert stage.run(verify=True)["pairs"] == [
            {
                "source": "V",
                "target": "V",
                "target_lacks_bucket": False,
                "equal": True,
                "slices": 0,
                "points": 0,
                "different": 0,
                "differing": [],
            }
        ]


class TestRetention:
    def stage_with(self, tmp_path: Path, source: str | None, target: str | None) -> Rig:
        stores = {url: embedded_store(tmp_path / name) for url, name in ((A, "a"), (B, "b"))}
        for store, length in zip(stores.values(), (source, target), strict=True):
            store.create_bucket(BucketSpec("W", "", 0 if length is None else parse_duration(length, "test")))
        rig = Rig(tmp_path, stores)  # type: ignore[arg-type]
        now = int(rig.clock() * 1e9)
        write(stores[A], "W", "\n".join(f"m v={days}i {now - days * DAY}" for days in (1, 5, 20, 50)))
        rig.configure(buckets=["W"])
        return rig

    def kept(self, rig: Rig) -> list[str]:
        return [row.shown for row in read(rig.stores[B], "W", EVER)]

    def test_a_target_that_keeps_longer_takes_what_the_source_keeps(self, tmp_path: Path) -> None:
        rig = self.stage_with(tmp_path, "30d", None)
        assert (rig.run()["state"], self.kept(rig)) == ("equal", ["20", "5", "1"])

    def test_a_target_that_forgets_sooner_is_refused(self, tmp_path: Path) -> None:
        rig = self.stage_with(tmp_path, None, "30d")
        with pytest.raises(
            InvalidParameter, match="Lengthen its retention, or set the mirror's `since` to no more than that"
        ):
            rig.run()

    def test_unless_the_mirror_asks_for_no_more(self, tmp_path: Path) -> None:
        rig = self.stage_with(tmp_path, None, "30d")
        rig.configure(buckets=["W"], since="7d")
        assert (rig.run()["state"], self.kept(rig)) == ("equal", ["5", "1"])

    def test_a_bucket_that_is_made_keeps_as_long_as_its_source(self, tmp_path: Path) -> None:
        rig = self.stage_with(tmp_path, "30d", None)
        rig.configure(buckets=[{"source": "W", "target": "new"}])
        rig.run()
        assert rig.stores[B].bucket("new").retention_ns == 30 * DAY

    def test_what_a_retention_takes_is_not_copied_again(self, tmp_path: Path) -> None:
        rig = self.stage_with(tmp_path, "30d", "30d")
        rig.run()
        for _ in range(2):
            assert rig.pair()["copied_points"] == 0


def test_again_tries_what_was_refused(stage: Stage) -> None:
    store_all(stage.a, "W", f"m v=7i {stage.at(-2)}")
    store_all(stage.b, "W", f"m v=7.5 {stage.at(-2, 1)}")
    stage.configure(buckets=["W"], on_conflict="skip")
    for _ in range(2):
        assert (stage.run()["state"], stage.pair()["copied_points"]) == ("partial", 0)
    stage.b.delete_points("W", SeriesKey("m"), EVER)
    store_all(stage.a, "W", f"other v=1i {stage.at(-1)}")
    ever = {"start": format_time(stage.at(-100)), "stop": format_time(stage.at(0))}
    assert stage.run(again=True, **ever)["state"] == "equal"
    assert equal(stage)


def test_what_is_done_is_told_in_the_target_on_wish(stage: Stage) -> None:
    fill(stage)
    stage.configure(buckets=["W"], log_in_target=True)
    stage.run()
    [line] = read(stage.b, "Logging", EVER)
    assert (line.measurement, line.tags, line.field) == ("Logs", (("LOG_LEVEL", "INFO"),), "Message")
    assert "21 slices compared, 21 copied with 160 points." in line.shown
    stage.run(dry_run=True)
    assert points(stage.b, "Logging") == 1
