"""What happens to values that the target does not take: nothing in silence, and nothing that is not in the way."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from service.domain.schema import BucketSpec
from service.domain.timerange import EVER, format_time
from service.errors import MirrorConflict, StoreLimit, StoreUnavailable
from service.frames.frame import Reading
from service.frames.points import Points
from service.stores.protocol import UNBOUNDED, WriteBounds, WriteOutcome
from tests.support.mirror_faults import Fails, failing
from tests.support.mirrors import A, B, digests
from tests.support.rows import read, store_all
from tests.support.stores import Through
from tests.unit.jobs.mirror.conftest import Stage


def dead_letters(stage: Stage) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (stage.folder / "rejects-m.ndjson").read_text().splitlines()]


@pytest.fixture
def clashing(stage: Stage) -> Stage:
    """The source has `v` as an integer, the target as a float; there is a field `o` beside it."""
    store_all(stage.a, "W", f"m,h=x v=7i,o=1 {stage.at(-1, 1)}\nm,h=x v=8i,o=2 {stage.at(-1, 2)}")
    store_all(stage.b, "W", f"m,h=x v=1.5 {stage.at(-1)}")
    return stage


def fields(stage: Stage) -> list[tuple[str, str]]:
    return [(row.field, row.shown) for row in read(stage.b, "W", EVER)]


class TestTypeConflicts:
    def test_fail_stops_with_what_to_do(self, clashing: Stage) -> None:
        with pytest.raises(
            MirrorConflict, match=r"Field 'v' of 'm' is integer here and float in the shard group .* skip or as_string"
        ):
            clashing.run()

    def test_skip_leaves_out_the_values_and_keeps_the_rest_of_their_lines(self, clashing: Stage) -> None:
        clashing.configure(buckets=["W"], on_conflict="skip")
        found = clashing.run()
        assert (found["state"], found["pairs"][0]["rejected"]) == ("partial", 2)
        assert fields(clashing) == [("o", "1.0"), ("o", "2.0"), ("v", "1.5")]
        assert dead_letters(clashing)[0] == {
            "bucket": "W", "measurement": "m", "tags": {"h": "x"}, "field": "v", "type": "integer",
            "code": "type_conflict",
            "reason": "The field has another type on the target; the value was left out.",
            "time": format_time(clashing.at(-1, 1)), "time_ns": clashing.at(-1, 1), "value": "7",
        }  # fmt: skip

    def test_as_string_writes_them_as_text_to_another_field(self, clashing: Stage) -> None:
        clashing.configure(buckets=["W"], on_conflict="as_string")
        assert clashing.run()["state"] == "partial"
        assert fields(clashing) == [("o", "1.0"), ("o", "2.0"), ("v", "1.5"), ("v_string", "'7'"), ("v_string", "'8'")]
        assert [
            (one["value"], one["reason"].endswith("the field whose name ends in _string."))
            for one in dead_letters(clashing)
        ] == [
            ("7", True),
            ("8", True),
        ]

    def test_where_the_field_for_the_text_has_another_type_too_only_the_text_is_left_out(self, clashing: Stage) -> None:
        """Once the whole lines were refused, with fields that were in nobody's way."""
        store_all(clashing.b, "W", f"m,h=x v_string=1i {clashing.at(-1)}")
        clashing.configure(buckets=["W"], on_conflict="as_string")
        assert clashing.pair()["rejected"] == 2
        assert fields(clashing) == [("o", "1.0"), ("o", "2.0"), ("v", "1.5"), ("v_string", "1")]
        assert [one["reason"] for one in dead_letters(clashing)] == [
            "The field has another type on the target; the value was left out."
        ] * 2

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("-0.0", "'-0'"),
            ("1e300", "'1e+300'"),
            ("true", "'true'"),
            ("18446744073709551615u", "'18446744073709551615'"),
        ],
    )
    def test_texts_are_written_so_that_they_can_be_read_back(self, stage: Stage, value: str, text: str) -> None:
        store_all(stage.a, "W", f"m v={value} {stage.at(-1)}")
        store_all(stage.b, "W", f"m v=1i {stage.at(-1, 1)}")
        stage.configure(buckets=["W"], on_conflict="as_string")
        stage.run()
        assert fields(stage) == [("v", "1"), ("v_string", text)]

    @pytest.mark.parametrize("policy", ["skip", "as_string"])
    def test_they_are_copied_once_and_not_again_and_again(self, clashing: Stage, policy: str) -> None:
        clashing.configure(buckets=["W"], on_conflict=policy)
        for _ in range(2):
            clashing.run()
        told = len(dead_letters(clashing))
        assert [clashing.pair()["copied_points"] for _ in range(2)] == [0, 0]
        clashing.wait(1)
        assert clashing.pair()["copied_points"] == 0
        assert len(dead_letters(clashing)) == told

    def test_one_value_in_the_place_of_another_is_partial_and_not_an_error(self, stage: Stage) -> None:
        """Both sides count one point: once that was taken for a target that loses what it acknowledged."""
        store_all(stage.a, "W", f"m v=7i {stage.at(-1)}")
        store_all(stage.b, "W", f"m v=7.5 {stage.at(-1)}")
        stage.configure(buckets=["W"], on_conflict="skip")
        assert [stage.run()["state"] for _ in range(3)] == ["partial"] * 3


class TestWhatBreaks:
    def test_a_break_in_the_middle_leaves_what_was_written_and_the_next_try_completes_it(self, stage: Stage) -> None:
        store_all(stage.a, "W", "\n".join(f"m v={n} {stage.at(-n)}" for n in range(50)))
        stage.stores[B] = Fails(stage.b, failing(*[StoreUnavailable("away")] * 20, at="write"))  # type: ignore[assignment]
        with pytest.raises(StoreUnavailable, match="The target"):
            stage.run(stage.context())
        stage.stores[B] = stage.b
        stage.run(stage.context())
        assert digests(stage.a, "W") == digests(stage.b, "W")

    def test_what_is_too_much_at_once_is_copied_in_halves(self, stage: Stage) -> None:
        store_all(stage.a, "W", "\n".join(f"m v={n} {stage.at(-n)}" for n in range(16)))
        stage.stores[B] = TakesLittle(stage.b)  # type: ignore[assignment]
        context = stage.context()
        assert stage.run(context)["state"] == "equal"
        assert digests(stage.a, "W") == digests(stage.b, "W")
        assert any("Trying half as much at a time" in line for _, line in context.lines)

    def test_the_side_that_broke_is_named(self, stage: Stage) -> None:
        stage.stores[A] = Fails(stage.a, failing(*[StoreUnavailable("away")] * 20, at="read"))  # type: ignore[assignment]
        store_all(stage.a, "W", f"m v=1 {stage.at()}")
        with pytest.raises(StoreUnavailable, match=r"^The source \(a\.test:8086\): away$"):
            stage.run(stage.context())


class TakesLittle(Through):
    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        if len(points) > 4:
            raise StoreLimit("Too much at once.")
        return self.store.write(bucket, points, bounds)


class Odd(Through):
    """Has points with names that no line can hold, as InfluxDB can."""

    def read(self, selection: Any) -> Reading:
        reading = self.store.read(selection)
        return Reading(
            reading.plan, (tuple(self._odd(frame) for frame in block) for block in reading.blocks), reading.cancel
        )

    def _odd(self, frame: pa.RecordBatch) -> pa.RecordBatch:
        column = frame.column(2)
        names: Sequence[str] = ["line\nfeed" if name == "odd" else name for name in column.dictionary.to_pylist()]
        return frame.set_column(
            2, frame.schema.field(2), pa.DictionaryArray.from_arrays(column.indices, pa.array(names))
        )


def test_what_no_line_can_hold_is_told_and_the_rest_is_copied(stage: Stage) -> None:
    store_all(stage.a, "W", f"m odd=7i,v=1 {stage.at(-1)}")
    stage.stores[A] = Odd(stage.a)  # type: ignore[assignment]
    found = stage.run(stage.context())
    assert (found["state"], found["pairs"][0]["rejected"]) == ("partial", 1)
    assert fields(stage) == [("v", "1.0")]
    [letter] = dead_letters(stage)
    assert (letter["field"], letter["value"], letter["code"]) == ("line\nfeed", "7", "unwritable")
    assert (letter["time"], letter["time_ns"]) == (format_time(stage.at(-1)), stage.at(-1))
    assert stage.pair()["copied_points"] == 0


def test_a_bucket_that_forgets_takes_what_it_still_keeps(stage: Stage) -> None:
    assert stage.b.create_bucket(BucketSpec("V", "", 30 * 86_400 * 10**9))
    store_all(stage.a, "W", f"m v=1i {stage.at(300)}")
    stage.configure(buckets=[{"source": "W", "target": "V"}])
    assert stage.run()["state"] == "equal"
