"""Values of fields that have another type on the target: left out or made text, in their slices alone."""

import pyarrow as pa

from service.domain.conflicts import OnConflict
from service.domain.schema import FieldType
from service.frames import long_form
from service.frames.frame import VALUE_TYPES, long_schema
from service.stores.protocol import TypeClash
from service.transfer.conflicts import Conflict, without_conflicts
from service.transfer.dead_letters import DeadLetter

STEP = 100
Row = tuple[int, object, str]


def frame(rows: list[Row], kind: FieldType = FieldType.INTEGER, measurement: str = "m") -> pa.RecordBatch:
    """Rows of (time, value, field)."""
    schema = long_schema(kind, ())
    times, values, fields = zip(*rows, strict=True)
    columns = [
        pa.array(times, pa.int64()).cast(schema.field(0).type),
        pa.array(values, VALUE_TYPES[kind]),
        pa.array(fields, pa.string()).dictionary_encode(),
        pa.array([measurement] * len(rows)).dictionary_encode(),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def clash(field: str, start_ns: int, sent: FieldType = FieldType.INTEGER, measurement: str = "m") -> Conflict:
    return TypeClash(measurement, field, sent), start_ns


def kept(
    block: list[pa.RecordBatch], conflicts: set[Conflict], on_conflict: OnConflict = OnConflict.SKIP
) -> tuple[list[list[Row]], list[DeadLetter]]:
    frames, letters = without_conflicts(tuple(block), frozenset(conflicts), on_conflict, STEP)
    rows = []
    for part in frames:
        columns = (long_form.times_ns(part).tolist(), long_form.values(part).to_pylist())
        rows.append(list(zip(*columns, long_form.fields(part).to_pylist(), strict=True)))
    return rows, letters  # type: ignore[return-value]


ROWS: list[Row] = [(0, 1, "a"), (99, 2, "a"), (100, 3, "a"), (0, 4, "b"), (-1, 5, "a")]


def test_a_field_is_left_out_in_its_slice_alone() -> None:
    rows, letters = kept([frame(ROWS)], {clash("a", 0)})
    assert rows == [[(100, 3, "a"), (0, 4, "b"), (-1, 5, "a")]]
    assert [(letter["time_ns"], letter["value"], letter["field"]) for letter in letters] == [
        (0, "1", "a"), (99, "2", "a"),
    ]  # fmt: skip
    assert letters[0]["reason"] == "The field has another type on the target; the value was left out."


def test_conflicts_of_several_fields_and_slices() -> None:
    rows, letters = kept([frame(ROWS)], {clash("a", -100), clash("a", 100), clash("b", 0)})
    assert rows == [[(0, 1, "a"), (99, 2, "a")]]
    assert len(letters) == 3


def test_a_frame_of_which_nothing_is_left_is_gone() -> None:
    rows, letters = kept([frame([(0, 1, "a")]), frame([(0, 1.5, "a")], FieldType.FLOAT)], {clash("a", 0)})
    assert rows == [[(0, 1.5, "a")]]
    assert len(letters) == 1


def test_another_type_another_measurement_and_another_field_do_not_conflict() -> None:
    block = [frame(ROWS), frame([(0, 1, "a")], measurement="n")]
    conflicts = {clash("a", 0, FieldType.FLOAT), clash("a", 0, measurement="o"), clash("c", 0), clash("a", 500)}
    rows, letters = kept(block, conflicts)
    assert (rows, letters) == ([ROWS, [(0, 1, "a")]], [])


def test_values_are_kept_as_text_under_another_name_where_the_policy_says_so() -> None:
    rows, letters = kept([frame(ROWS)], {clash("a", 0)}, OnConflict.AS_STRING)
    assert rows == [[(100, 3, "a"), (0, 4, "b"), (-1, 5, "a")], [(0, "1", "a_string"), (99, "2", "a_string")]]
    assert [letter["field"] for letter in letters] == ["a", "a"]
    assert letters[0]["reason"].endswith("was written as text to the field whose name ends in _string.")


def test_text_whose_field_conflicts_too_is_left_out() -> None:
    conflicts = {clash("a", 0), clash("a", 100), clash("a_string", 0, FieldType.STRING)}
    rows, letters = kept([frame(ROWS)], conflicts, OnConflict.AS_STRING)
    assert rows == [[(0, 4, "b"), (-1, 5, "a")], [(100, "3", "a_string")]]
    outcomes = {letter["time_ns"]: letter["reason"].partition("was ")[2] for letter in letters}
    assert outcomes == {
        0: "left out.", 99: "left out.", 100: "written as text to the field whose name ends in _string.",
    }  # fmt: skip


def test_without_a_conflict_the_policy_changes_nothing() -> None:
    assert kept([frame(ROWS)], {clash("a", 500)}, OnConflict.AS_STRING) == ([ROWS], [])
