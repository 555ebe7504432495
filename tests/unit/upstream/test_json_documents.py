"""What stands in a JSON body is what stood in the frames, whatever the names, values and times are."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.errors import UpstreamStopped
from service.upstream.document import Document
from service.upstream.documents import Documents
from tests.support.sample_blocks import Row, hostile_rows
from tests.support.upstream_batches import WINDOW, batch_of, configured, sensor
from tests.support.upstream_payloads import READERS, Value, value_of

MS_NS = 1_000_000


def document(rows: Sequence[Row], payload: str = "sensors", **members: Any) -> Document:
    return Documents(configured(payload=payload, **members), lambda *_: None).of(batch_of(rows))


def body(rows: Sequence[Row], payload: str = "sensors", **members: Any) -> str:
    made = document(rows, payload, **members)
    return made.body(range(len(made))).decode()


def is_finite(row: Row) -> bool:
    return not isinstance(row.value, float) or math.isfinite(row.value)


def exact(row: Row) -> Value:
    return value_of(sensor(row), row.time_ns, row.value)


@pytest.mark.parametrize("payload", ["sensors", "ndjson"])
@settings(max_examples=50)
@given(rows=hostile_rows())
def test_a_body_read_back_is_what_the_frames_held(payload: str, rows: list[Row]) -> None:
    made = document(rows, payload)
    read = READERS[payload](made.body(range(len(made)))) if len(made) else []
    assert Counter(read) == Counter(map(exact, filter(is_finite, rows)))
    assert len(made.letters) == sum(not is_finite(row) for row in rows)


def test_values_of_a_sensor_ascend_however_far_apart_they_are() -> None:
    rows = [Row(LATEST_NS, 1.0), Row(EARLIEST_NS, 2.0)]
    [values] = json.loads(body(rows))["data"].values()
    assert [entry["value"] for entry in values] == [2.0, 1.0]


@settings(max_examples=50)
@given(rows=hostile_rows())
def test_a_thingsboard_body_has_the_last_value_of_each_millisecond_and_letters_for_the_others(rows: list[Row]) -> None:
    made = document(rows, "thingsboard")
    read = READERS["thingsboard"](made.body(range(len(made)))) if len(made) else []
    last: dict[tuple[str, int], int] = {}
    for row in filter(is_finite, rows):
        key = (sensor(row), row.time_ns // MS_NS)
        last[key] = max(last.get(key, row.time_ns), row.time_ns)
    assert {(value.sensor, value.time_ns // MS_NS) for value in read} == last.keys()
    candidates = {
        Value(value.sensor, value.time_ns // MS_NS * MS_NS, value.text)
        for row in filter(is_finite, rows)
        if (value := exact(row)) and last[(sensor(row), row.time_ns // MS_NS)] == row.time_ns
    }
    assert set(read) <= candidates
    assert len(read) + len(made.letters) == len(rows)


@pytest.mark.parametrize("payload", ["sensors", "ndjson", "thingsboard"])
@settings(max_examples=50)
@given(rows=hostile_rows(), data=st.data())
def test_parts_hold_together_what_the_whole_holds(payload: str, rows: list[Row], data: st.DataObject) -> None:
    made = document(rows, payload)
    left = data.draw(st.sets(st.integers(0, max(0, len(made) - 1)))) if len(made) else set()
    middle = data.draw(st.integers(0, len(made)))
    whole = Counter(READERS[payload](made.body(range(len(made))))) if len(made) else Counter()
    for parts in (
        (range(middle), range(middle, len(made))),
        (sorted(left), [item for item in range(len(made)) if item not in left]),
    ):
        read = [value for part in parts if len(part) for value in READERS[payload](made.body(part))]
        assert Counter(read) == whole


def test_the_shape_of_the_sensors_payload() -> None:
    rows = [
        Row(0, 1, "b", type=FieldType.INTEGER),
        Row(1, 2.0, "a"),
        Row(1_500_000_000, False, "a", type=FieldType.BOOLEAN),
    ]
    assert body(rows) == (
        '{"start_time":"1970-01-01T00:00:00Z","end_time":"1970-01-01T01:00:00Z","data":{'
        '"m.a":[{"timestamp":"1970-01-01T00:00:00.000000001Z","value":2.0},'
        '{"timestamp":"1970-01-01T00:00:01.500000000Z","value":false}],'
        '"m.b":[{"timestamp":"1970-01-01T00:00:00Z","value":1}]}}'
    )


def test_the_shape_of_a_thingsboard_payload() -> None:
    rows = [Row(5 * MS_NS, 1.5, "a"), Row(5 * MS_NS + 7, "x", "b", type=FieldType.STRING), Row(-1, 2.0, "a")]
    assert body(rows, "thingsboard") == '[{"ts":-1,"values":{"m.a":2.0}},{"ts":5,"values":{"m.a":1.5,"m.b":"x"}}]'


def test_the_shape_of_an_ndjson_payload() -> None:
    rows = [Row(1, 1.5, "a", "m", (("room", "n 1"),)), Row(2, 2.5, "a", "m")]
    assert body(rows, "ndjson", sensor="{field}") == (
        '{"timestamp":"1970-01-01T00:00:00.000000001Z","value":1.5,'
        '"sensor":"a","measurement":"m","field":"a","tags":{"room":"n 1"}}\n'
        '{"timestamp":"1970-01-01T00:00:00.000000002Z","value":2.5,'
        '"sensor":"a","measurement":"m","field":"a","tags":{}}\n'
    )


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (2**63 - 1, FieldType.INTEGER, "9223372036854775807"),
        (2**64 - 1, FieldType.UNSIGNED, "18446744073709551615"),
        (0.1, FieldType.FLOAT, "0.1"),
        (-0.0, FieldType.FLOAT, "-0.0"),
        (5e-324, FieldType.FLOAT, "5e-324"),
        (1e22, FieldType.FLOAT, "1e+22"),
        (True, FieldType.BOOLEAN, "true"),
        ('"\\\n\x01é\u2028', FieldType.STRING, '"\\"\\\\\\n\\u0001é\u2028"'),
        ("", FieldType.STRING, '""'),
    ],
)
def test_values_are_exact(value: Any, kind: FieldType, text: str) -> None:
    assert f'"value":{text}}}' in body([Row(0, value, type=kind)])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_hold_is_a_dead_letter_and_all_else_is_posted(value: float) -> None:
    made = document([Row(7, value, "a", "m", (("room", "1"),)), Row(8, 1.0, "a", "m", (("room", "1"),))])
    assert [entry.time_ns for entry in READERS["sensors"](made.body(range(len(made))))] == [8]
    assert made.letters == [
        {
            "measurement": "m",
            "tags": {"room": "1"},
            "field": "a",
            "type": "float",
            "value": str(value),
            "time": "1970-01-01T00:00:00.000000007Z",
            "time_ns": 7,
            "code": "not_finite",
            "reason": "No JSON and no line protocol holds NaN or an infinity.",
        }
    ]


def test_series_that_share_a_sensor_are_one_list_by_time_and_it_is_said_once() -> None:
    lines: list[tuple[str, str]] = []
    documents = Documents(configured(sensor="{measurement}"), lambda *line: lines.append(line))
    rows = [Row(1, 1.0, "a"), Row(3, 3.0, "a"), Row(2, 2.0, "b", tags=(("t", "x"),))]
    for _ in range(2):
        made = documents.of(batch_of(rows))
    entries = json.loads(made.body(range(3)))["data"]["m"]
    assert [entry["value"] for entry in entries] == [1.0, 2.0, 3.0]
    assert lines == [
        (
            "warning",
            "The sensor 'm' stands for several series, such as 'm a' and 'm,t=x b'. Their values are sent in one "
            "list, ordered by time. Name more tags in the template to tell them apart.",
        )
    ]


def test_a_series_without_a_tag_of_the_template_is_a_dead_letter() -> None:
    rows = [Row(1, 1.0, tags=(("room", "n"),)), Row(2, 2.0)]
    made = document(rows, sensor="{tag.room}/{field}")
    assert [value.sensor for value in READERS["sensors"](made.body(range(len(made))))] == ["n/f"]
    reason = "The series has no tag 'room', which the template '{tag.room}/{field}' of the sensor names."
    assert [(letter["time_ns"], letter["code"], letter["reason"]) for letter in made.letters] == [
        (2, "no_sensor_name", reason)
    ]


def test_where_no_value_has_a_name_the_run_stops_and_nothing_is_given_up() -> None:
    with pytest.raises(UpstreamStopped, match="No value of the batch can be named: The series has no tag 'room'"):
        document([Row(1, 1.0), Row(2, 2.0)], sensor="{tag.room}")


def test_the_order_of_frames_changes_no_byte() -> None:
    rows = [Row(1, 1.0, "a"), Row(2, 2.0, "a"), Row(1, 3, "b", type=FieldType.INTEGER), Row(0, 4.0, "c")]
    assert body(rows) == body(rows[::-1]) == body([rows[2], rows[0], rows[3], rows[1]])


def test_an_empty_batch_has_no_items() -> None:
    assert len(document([])) == 0


def test_the_window_is_that_of_the_batch() -> None:
    made = Documents(configured(), lambda *_: None).of(batch_of([Row(-5, 1.0)], TimeRange(-10, 3)))
    read = json.loads(made.body(range(1)))
    assert read["start_time"] == "1969-12-31T23:59:59.999999990Z"
    assert read["end_time"] == "1970-01-01T00:00:00.000000003Z"
    assert WINDOW.start_ns == 0
