"""What the dead-letter file says of a value or a line that the target does not take: all of it, and the reason."""

from typing import Any

import pyarrow as pa

from service.domain.timerange import format_time
from service.frames.frame import FIXED_COLUMNS
from service.frames.points import Points
from service.frames.rows import value_type
from service.frames.unwritten import Unwritten
from service.stores.protocol import Refusal

Letter = dict[str, Any]


def letter_of_line(points: Points, refusal: Refusal) -> Letter:
    """A whole line that the target refused."""
    start, stop = points.offsets[refusal.line - 1], points.offsets[refusal.line]
    return {"line": points.text[start:stop].decode("utf-8", "replace").rstrip("\n"), "code": refusal.code, "reason": refusal.reason}


def letters_of_unwritten(one: Unwritten) -> list[Letter]:
    """Values that no line can hold."""
    key = one.key
    told = {
        "measurement": key.measurement, "tags": dict(key.tags), "field": key.field, "type": key.type.value,
        "code": "unwritable", "reason": one.reason,
    }  # fmt: skip
    found = zip(one.times_ns.tolist(), one.values.to_pylist(), strict=True)
    return [{**told, "time": format_time(time_ns), "value": str(value)} for time_ns, value in found]


def letters_of_frame(frame: pa.RecordBatch, done: str) -> list[Letter]:
    """Values of a long frame whose fields have another type on the target; `done`: what became of them."""
    kind = value_type(frame).value
    reason = f"The field has another type on the target; the value was {done}."
    times = frame.column(0).cast(pa.int64()).to_pylist()
    tags = frame.schema.names[len(FIXED_COLUMNS) :]
    rows = zip(times, *(frame.column(place).to_pylist() for place in range(1, frame.num_columns)), strict=True)
    return [
        {
            "measurement": measurement, "tags": {key: text for key, text in zip(tags, own, strict=True) if text is not None}, "field": name,
            "type": kind, "code": "type_conflict", "reason": reason, "time": format_time(time_ns), "time_ns": time_ns, "value": str(value),
        }
        for time_ns, value, name, measurement, *own in rows
    ]  # fmt: skip
