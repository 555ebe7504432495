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
    place = refusal.line - 1
    line = points.text[points.offsets[place] : points.offsets[place + 1]].decode("utf-8", "replace").rstrip("\n")
    return {"line": line, **_why(refusal.code, refusal.reason, int(points.times_ns[place]))}


def letters_of_unwritten(one: Unwritten) -> list[Letter]:
    """Values that no line can hold."""
    key = one.key
    told = {"measurement": key.measurement, "tags": dict(key.tags), "field": key.field, "type": key.type.value}
    found = zip(one.times_ns.tolist(), one.values.to_pylist(), strict=True)
    return [{**told, "value": str(value), **_why("unwritable", one.reason, time_ns)} for time_ns, value in found]


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
            "type": kind, "value": str(value), **_why("type_conflict", reason, time_ns),
        }
        for time_ns, value, name, measurement, *own in rows
    ]  # fmt: skip


def _why(code: str, reason: str, time_ns: int) -> Letter:
    return {"time": format_time(time_ns), "time_ns": time_ns, "code": code, "reason": reason}
