"""The names of an answer's columns: always distinct, and the same wherever they are said."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.encoding.columns import Format, Shape, columns
from tests.support.sample_blocks import Row, hostile_rows, plan_of


def names(rows: list[Row], shape: Shape, form: Format = Format.CSV) -> list[str]:
    return [column.name for column in columns(plan_of(rows), shape, form)]


def test_long_has_time_value_field_measurement_and_the_tags_of_all_measurements_sorted() -> None:
    rows = [
        Row(0, 1.0, measurement="b", tags=(("rack", "1"), ("zone", "z"))),
        Row(0, 1.0, measurement="a", tags=(("host", "h"),)),
    ]
    assert names(rows, Shape.LONG) == ["_time", "_value", "_field", "_measurement", "host", "rack", "zone"]


def test_wide_has_time_measurement_tags_and_fields_sorted() -> None:
    rows = [Row(0, 1.0, "power", tags=(("host", "h"),)), Row(0, 1.0, "load")]
    assert names(rows, Shape.WIDE) == ["_time", "_measurement", "host", "load", "power"]


def test_columnar_formats_have_a_value_column_for_each_type_that_occurs() -> None:
    rows = [Row(0, "on", "state", type=FieldType.STRING), Row(0, 1.0)]
    assert names(rows, Shape.LONG, Format.PARQUET) == [
        "_time",
        "_value_float",
        "_value_string",
        "_field",
        "_measurement",
    ]
    assert names(rows[:1], Shape.LONG, Format.ARROW) == ["_time", "_value", "_field", "_measurement"]


def test_a_field_of_two_types_has_two_wide_columns() -> None:
    rows = [Row(0, 1.5, "f"), Row(1, 7, "f", type=FieldType.INTEGER)]
    assert names(rows, Shape.WIDE) == ["_time", "_measurement", "f.float", "f.integer"]


def test_a_tag_named_like_a_fixed_column_is_led_by_tag() -> None:
    rows = [Row(0, 1.0, tags=(("_value", "x"), ("tag._value", "y")))]
    assert names(rows, Shape.LONG)[4:] == ["tag.tag._value", "tag._value"]


def test_a_field_named_like_a_tag_is_led_by_field_in_wide_form() -> None:
    assert names([Row(0, 1.0, "x", tags=(("x", "1"),))], Shape.WIDE) == ["_time", "_measurement", "x", "field.x"]


@given(hostile_rows(), st.sampled_from([Shape.LONG, Shape.WIDE]), st.sampled_from(list(Format)))
def test_names_differ_whatever_the_names(rows: list[Row], shape: Shape, form: Format) -> None:
    found = names(rows, shape, form)
    assert len(set(found)) == len(found)


def test_every_format_has_a_media_type() -> None:
    assert [form.media_type for form in Format] == [
        "text/csv; charset=utf-8",
        "application/json",
        "application/x-ndjson",
        "application/vnd.apache.parquet",
        "application/vnd.apache.arrow.stream",
        "application/vnd.apache.arrow.file",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.influxdb.line-protocol; charset=utf-8",
        "application/csv; charset=utf-8",
    ]
