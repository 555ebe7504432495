"""Dead letters hold the whole value or line, where it belongs, and why it was not taken."""

import numpy as np
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.series import FieldSeries, SeriesKey
from service.frames.frame import long_schema
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.unwritable import UnwritableValues
from service.stores.protocol import Refusal
from service.transfer.dead_letters import (
    dead_letter_of_line,
    dead_letters_of_frame,
    dead_letters_of_unwritable,
    dead_letters_of_values,
)

POINTS = parse_lines(b'm f=1 1\nm,t=a f=2,g="x" 1700000000000000000\nm f=3 3', "ns", 0).points


def test_a_refused_line_is_kept_whole_with_the_words_of_the_server() -> None:
    letter = dead_letter_of_line(POINTS, Refusal(2, "refused", "InfluxDB refused it.", upstream="shard 7 is upset"))
    assert letter == {
        "line": 'm,t=a f=2,g="x" 1700000000000000000',
        "time": "2023-11-14T22:13:20Z",
        "time_ns": 1_700_000_000_000_000_000,
        "code": "refused",
        "reason": "InfluxDB refused it. It says: shard 7 is upset",
    }


def test_where_the_server_said_nothing_the_reason_is_all() -> None:
    letter = dead_letter_of_line(POINTS, Refusal(1, "outside_retention", "Too old."))
    assert (letter["line"], letter["reason"], letter["code"]) == ("m f=1 1", "Too old.", "outside_retention")


def test_values_that_no_line_can_hold_are_named_one_by_one() -> None:
    series = FieldSeries(SeriesKey("m", (("t", "a"),)), "f", FieldType.FLOAT)
    unwritable = UnwritableValues(series, "is infinite", np.array([1, 2], np.int64), pa.array([float("inf"), 2.5]))
    assert dead_letters_of_unwritable(unwritable) == [
        {
            "measurement": "m", "tags": {"t": "a"}, "field": "f", "type": "float", "value": value,
            "time": f"1970-01-01T00:00:00.00000000{time_ns}Z", "time_ns": time_ns, "code": "unwritable",
            "reason": "is infinite",
        }
        for time_ns, value in ((1, "inf"), (2, "2.5"))
    ]  # fmt: skip


def test_values_of_another_type_say_what_became_of_them() -> None:
    schema = long_schema(FieldType.BOOLEAN, ("t",))
    columns = [
        pa.array([1, 2]).cast(schema.field(0).type),
        pa.array([True, False]),
        *(pa.array(texts, pa.string()).dictionary_encode() for texts in (["f", "g"], ["m", "m"], ["a", None])),
    ]
    frame = pa.RecordBatch.from_arrays(columns, schema=schema)
    letters = dead_letters_of_frame(frame, "left out")
    assert [(letter["field"], letter["tags"], letter["value"], letter["time_ns"]) for letter in letters] == [
        ("f", {"t": "a"}, "True", 1), ("g", {}, "False", 2),
    ]  # fmt: skip
    assert {letter["code"] for letter in letters} == {"type_conflict"}
    assert {letter["reason"] for letter in letters} == {
        "The field has another type on the target; the value was left out."
    }
    assert dead_letters_of_frame(frame.slice(0, 0), "left out") == []


def test_each_value_of_chosen_lines_is_a_letter_with_further_members() -> None:
    letters = dead_letters_of_values(POINTS, {1, 2}, "refused", "Too late.", connector="power")
    reason = {"code": "refused", "reason": "Too late.", "connector": "power"}
    second = {"time": "2023-11-14T22:13:20Z", "time_ns": 1_700_000_000_000_000_000, **reason}
    third = {"time": "1970-01-01T00:00:00.000000003Z", "time_ns": 3, **reason}
    expected = [
        {"measurement": "m", "tags": {"t": "a"}, "field": "f", "type": "float", "value": "2.0", **second},
        {"measurement": "m", "tags": {"t": "a"}, "field": "g", "type": "string", "value": "x", **second},
        {"measurement": "m", "tags": {}, "field": "f", "type": "float", "value": "3.0", **third},
    ]
    order = ("time_ns", "field")
    assert sorted(letters, key=lambda letter: [letter[name] for name in order], reverse=True) == [
        expected[1], expected[0], expected[2],
    ]  # fmt: skip
    assert dead_letters_of_values(POINTS, [], "refused", "Too late.") == []
