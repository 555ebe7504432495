"""Makes dead letters: a value or a line that the target does not take, whole, with the reason."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa

from service.domain.series import FieldSeries
from service.domain.timerange import format_time
from service.frames import long_form
from service.frames.points import Points
from service.frames.row_series import series_of
from service.lineprotocol.unwritable import UnwritableValues
from service.stores.protocol import Refusal

DeadLetter = dict[str, Any]
"""An object that JSON can hold. It always has `time_ns`."""


def dead_letter_of_line(points: Points, refusal: Refusal) -> DeadLetter:
    """A whole line that the target refused."""
    number = refusal.line - 1
    line = points.text[points.offsets[number] : points.offsets[number + 1]].decode("utf-8", "replace").rstrip("\n")
    reason = f"{refusal.reason} It says: {refusal.upstream}" if refusal.upstream else refusal.reason
    return {"line": line, **_reason_members(refusal.code, reason, int(points.times_ns[number]))}


def dead_letters_of_unwritable(unwritable: UnwritableValues) -> list[DeadLetter]:
    """Values that no line can hold."""
    series = _series_members(unwritable.series)
    rows = zip(unwritable.times_ns.tolist(), unwritable.values.to_pylist(), strict=True)
    code, reason = "unwritable", unwritable.reason
    return [{**series, "value": str(value), **_reason_members(code, reason, time_ns)} for time_ns, value in rows]


def dead_letters_of_frame(frame: pa.RecordBatch, outcome: str) -> list[DeadLetter]:
    """Values of a long frame whose fields have another type on the target. `outcome`: what became of them."""
    reason = f"The field has another type on the target; the value was {outcome}."
    return dead_letters_of_rows(frame, "type_conflict", reason)


def dead_letters_of_rows(frame: pa.RecordBatch, code: str, reason: str, **members: object) -> list[DeadLetter]:
    """The values of a long frame, with one reason. Each letter has the further `members` too."""
    if not frame.num_rows:
        return []
    series, of_row = series_of(frame)
    of_series = [_series_members(field_series) for field_series in series]
    rows = zip(of_row.tolist(), long_form.times_ns(frame).tolist(), long_form.values(frame).to_pylist(), strict=True)
    letters = []
    for number, time_ns, value in rows:
        letter = {**of_series[number], "value": str(value), **_reason_members(code, reason, time_ns), **members}
        letters.append(letter)
    return letters


def dead_letters_of_values(
    points: Points,
    lines: Collection[int],
    code: str,
    reason: str,
    **members: object,
) -> list[DeadLetter]:
    """Each value of these lines (indices into the arrays of `points`), with one reason, and further `members`."""
    chosen = np.fromiter(lines, np.int64, len(lines))
    letters = []
    for column in points.columns:
        indices = np.flatnonzero(np.isin(column.lines, chosen))
        values = column.values.take(pa.array(indices)).to_pylist()
        times = points.times_ns[column.lines[indices]].tolist()
        for key, time_ns, value in zip(column.keys[indices].tolist(), times, values, strict=True):
            series = _series_members(points.keys[key])
            letters.append({**series, "value": str(value), **_reason_members(code, reason, time_ns), **members})
    return letters


def _series_members(series: FieldSeries) -> DeadLetter:
    return {
        "measurement": series.measurement,
        "tags": dict(series.tags),
        "field": series.field,
        "type": series.type.value,
    }


def _reason_members(code: str, reason: str, time_ns: int) -> DeadLetter:
    return {"time": format_time(time_ns), "time_ns": time_ns, "code": code, "reason": reason}
