"""What a dead letter says of a value or a line that the target does not take: all of it, and the reason."""

from typing import Any

import pyarrow as pa

from service.domain.timerange import format_time
from service.frames.frame import FIXED_COLUMNS, value_type
from service.frames.points import Points
from service.lineprotocol.unwritable import Unwritten
from service.stores.protocol import Refusal

DeadLetter = dict[str, Any]
"""JSON-ready. `time_ns` is always there."""


def dead_letter_of_line(points: Points, refusal: Refusal) -> DeadLetter:
    """A whole line that the target refused."""
    number = refusal.line - 1
    line = points.text[points.offsets[number] : points.offsets[number + 1]].decode("utf-8", "replace").rstrip("\n")
    reason = f"{refusal.reason} It says: {refusal.upstream}" if refusal.upstream else refusal.reason
    return {"line": line, **_why(refusal.code, reason, int(points.times_ns[number]))}


def dead_letters_of_unwritable(unwritable: Unwritten) -> list[DeadLetter]:
    """Values that no line can hold."""
    key = unwritable.key
    series = {"measurement": key.measurement, "tags": dict(key.tags), "field": key.field, "type": key.type.value}
    rows = zip(unwritable.times_ns.tolist(), unwritable.values.to_pylist(), strict=True)
    code, reason = "unwritable", unwritable.reason
    return [{**series, "value": str(value), **_why(code, reason, time_ns)} for time_ns, value in rows]


def dead_letters_of_frame(frame: pa.RecordBatch, outcome: str) -> list[DeadLetter]:
    """Values of a long frame whose fields have another type on the target. `outcome`: what became of them."""
    field_type = value_type(frame).value
    reason = f"The field has another type on the target; the value was {outcome}."
    times = frame.column(0).cast(pa.int64()).to_pylist()
    tag_keys = frame.schema.names[len(FIXED_COLUMNS) :]
    rows = zip(times, *(frame.column(number).to_pylist() for number in range(1, frame.num_columns)), strict=True)
    return [
        {
            "measurement": measurement,
            "tags": {key: text for key, text in zip(tag_keys, tag_values, strict=True) if text is not None},
            "field": field,
            "type": field_type,
            "value": str(value),
            **_why("type_conflict", reason, time_ns),
        }
        for time_ns, value, field, measurement, *tag_values in rows
    ]


def _why(code: str, reason: str, time_ns: int) -> DeadLetter:
    return {"time": format_time(time_ns), "time_ns": time_ns, "code": code, "reason": reason}
