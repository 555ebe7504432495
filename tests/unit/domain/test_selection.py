"""The plan of a read: what is read with which function, and what is skipped by name."""

import pytest

from service.domain.schema import FieldType, MeasurementSchema
from service.domain.selection import FieldPlan, Fn, ReadPlan, Selection, SkippedField, Stamp, Windows, plan_read
from service.domain.timerange import TimeRange
from service.domain.unreadable import NameKind, UnreadableName
from service.errors import UnreadableText

F, N, S, B = FieldType.FLOAT, FieldType.INTEGER, FieldType.STRING, FieldType.BOOLEAN
SPAN = TimeRange(0, 3_600_000_000_000)
SCHEMA = [
    MeasurementSchema("wind", ("site",), {"speed": (F,), "code": (S,)}),
    MeasurementSchema("power", ("meter", "site"), {"on": (B,), "watts": (F, N), "count": (N,), "mode": (F, S)}),
]


def plan(fn: Fn | None, **filters: tuple[str, ...] | tuple[tuple[str, tuple[str, ...]], ...]) -> ReadPlan:
    windows = Windows(60_000_000_000, fn) if fn else None
    return plan_read(Selection("plant", SPAN, windows, **filters), SCHEMA)  # type: ignore[arg-type]


def test_a_raw_read_takes_every_field_with_every_type() -> None:
    found = plan(None)
    assert [one.name for one in found.measurements] == ["power", "wind"]
    assert found.measurements[0].fields == (
        FieldPlan("count", (N,), None, (N,)),
        FieldPlan("mode", (F, S), None, (F, S)),
        FieldPlan("on", (B,), None, (B,)),
        FieldPlan("watts", (F, N), None, (F, N)),
    )
    assert found.skipped == ()


def test_text_and_booleans_are_left_out_of_a_mean_and_named() -> None:
    found = plan(Fn.MEAN)
    assert found.skipped == (
        SkippedField("power", "mode", S),
        SkippedField("power", "on", B),
        SkippedField("wind", "code", S),
    )
    assert found.measurements[0].fields == (
        FieldPlan("count", (N,), Fn.MEAN, (F,)),
        FieldPlan("mode", (F,), Fn.MEAN, (F,)),
        FieldPlan("watts", (F, N), Fn.MEAN, (F,)),
    )


def test_a_text_field_asked_for_by_name_is_answered_with_last() -> None:
    found = plan(Fn.MAX, fields=("code", "on"))
    assert [(one.name, one.fields) for one in found.measurements] == [
        ("power", (FieldPlan("on", (B,), Fn.LAST, (B,)),)),
        ("wind", (FieldPlan("code", (S,), Fn.LAST, (S,)),)),
    ]
    assert found.skipped == ()


def test_the_text_of_a_field_that_also_has_numbers_is_left_out_even_by_name() -> None:
    found = plan(Fn.SUM, fields=("mode",))
    assert found.measurements[0].fields == (FieldPlan("mode", (F,), Fn.SUM, (F,)),)
    assert found.skipped == (SkippedField("power", "mode", S),)


def test_sum_keeps_the_type_of_one_type_and_makes_floats_of_several() -> None:
    fields = {one.name: one.output for one in plan(Fn.SUM).measurements[0].fields}
    assert fields == {"count": (N,), "mode": (F,), "watts": (F,)}


def test_count_is_an_integer_of_every_type_and_last_keeps_types() -> None:
    assert {one.output for one in plan(Fn.COUNT).measurements[0].fields} == {(N,)}
    assert {one.name: one.output for one in plan(Fn.LAST).measurements[0].fields}["mode"] == (F, S)
    assert plan(Fn.COUNT).skipped == ()


def test_a_measurement_without_a_filtered_tag_key_is_left_out() -> None:
    assert [one.name for one in plan(None, tags=(("meter", ("a",)),)).measurements] == ["power"]


def test_filters_by_name_select_measurements_and_fields() -> None:
    assert plan(None, measurements=("nothing",)).measurements == ()
    assert [one.name for one in plan(None, fields=("speed",)).measurements] == ["wind"]


def test_the_plan_knows_its_columns() -> None:
    found = plan(None)
    assert found.tags == ("meter", "site")
    assert found.value_types == (F, N, S, B)
    assert found.field_types == {
        "code": (S,),
        "count": (N,),
        "mode": (F, S),
        "on": (B,),
        "speed": (F,),
        "watts": (F, N),
    }


@pytest.mark.parametrize(
    ("kind", "fields", "is_refused"),
    [
        (NameKind.FIELD, (), True),
        (NameKind.FIELD, ("speed",), False),
        (NameKind.TAG_KEY, ("speed",), True),
        (NameKind.TAG_KEY, (), True),
        (NameKind.TAG_KEY, ("absent",), False),
    ],
)
def test_names_that_are_no_text_refuse_a_read_that_would_hold_them(
    kind: NameKind, fields: tuple[str, ...], is_refused: bool
) -> None:
    """A named field is read beside another that no answer can carry; a tag would make two series look alike."""
    schema = [MeasurementSchema("wind", ("site",), {"speed": (F,)}, (UnreadableName.of(kind, "f\udcfc"),))]
    selection = Selection("plant", SPAN, fields=fields)
    if is_refused:
        with pytest.raises(UnreadableText, match=r"f\\xfc of the measurement wind"):
            plan_read(selection, schema)
    else:
        plan_read(selection, schema)


def test_a_selection_takes_all_points_in_any_blocks_unless_it_says_otherwise() -> None:
    assert Selection("plant", SPAN) == Selection("plant", SPAN, None, (), (), (), complete_rows=False)


@pytest.mark.parametrize(("every_ns", "months"), [(0, 0), (1, 1), (-1, 0), (0, -1), (-1, 1)])
def test_windows_have_one_length(every_ns: int, months: int) -> None:
    with pytest.raises(ValueError, match="no length"):
        Windows(every_ns, Fn.MEAN, months=months)


@pytest.mark.parametrize(
    ("tags", "measurements"),
    [
        ((("site", ("",)),), []),
        ((("site", ()),), []),
        ((("site", ("", "a")),), ["power", "wind"]),
        ((("site", ("a",)), ("meter", ("",))), []),
        ((("site", ("a",)), ("meter", ("", "m"))), ["power"]),
    ],
)
def test_a_filter_that_takes_only_empty_values_selects_nothing(
    tags: tuple[tuple[str, tuple[str, ...]], ...], measurements: list[str]
) -> None:
    """No series has an empty value of a tag."""
    assert [measurement.name for measurement in plan(None, tags=tags).measurements] == measurements


def test_the_rows_of_m4_and_of_nothing_else_have_the_times_of_points() -> None:
    assert {Windows(1, Fn.M4, stamp=stamp).stamp for stamp in Stamp} == {Stamp.POINT}
    assert Windows(1, Fn.M4, stamp=Stamp.STOP) == Windows(1, Fn.M4)
    with pytest.raises(ValueError, match="max gives no points"):
        Windows(1, Fn.MAX, stamp=Stamp.POINT)


def test_m4_takes_numbers_and_keeps_their_type() -> None:
    assert [field.output for field in plan(Fn.M4).measurements[0].fields] == [
        field.output for field in plan(Fn.MAX).measurements[0].fields
    ]
    assert plan(Fn.M4).skipped == plan(Fn.MAX).skipped


def test_a_window_has_four_rows_at_most_of_m4_and_one_of_every_other_function() -> None:
    """The first, the last, the lowest and the highest point."""
    assert {fn: fn.most_rows for fn in Fn if fn.most_rows != 1} == {Fn.M4: 4}
