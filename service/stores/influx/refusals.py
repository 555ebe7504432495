"""What InfluxDB says when it refuses points, read back into the lines that it means.

A 422 names only the first reason, and its count covers one shard (influxdb v2.9.1 tsdb/shard.go,
v1/coordinator/points_writer.go). These functions decide which lines a reason covers; whoever writes
proves it by sending the rest again.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.domain.schema import FieldType
from service.domain.timerange import parse_time
from service.errors import InvalidParameter
from service.frames.points import Points
from service.stores.protocol import TypeClash

Lines = npt.NDArray[np.int64]
TYPE_CONFLICT = "type_conflict"
OUTSIDE_RETENTION = "outside_retention"
REFUSED = "refused"

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TYPE = "float|integer|unsigned|string|boolean"
_END = r" dropped=(\d+)(?: for database: \S+)?(?: for retention policy: \S+)?\s*$"
_CONFLICT = re.compile(rf"input field ({_QUOTED}) on measurement ({_QUOTED}) is type ({_TYPE}), already exists as type ({_TYPE}){_END}", re.DOTALL)
_RETENTION = re.compile(r"dropped (\d+) points outside retention policy of duration ([0-9][0-9hmsuµn.]{0,40}) - oldest ")
_BOUND = re.compile(rf"violates a Retention Policy Lower Bound at (\S+){_END}")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True)
class Reason:
    """One reason of a refusal: its code, words for the caller, the lines it covers, how many the server counted, and the field that has two types."""

    code: str
    text: str
    lines: Lines
    counted: int
    clash: TypeClash | None = None


def reason_of(message: str, points: Points, sent: Lines) -> Reason | None:
    """The reason in `message` and the lines of `sent` (ascending) it covers; None when it cannot be told."""
    conflict = _CONFLICT.search(message)
    if conflict is not None:
        return _conflict(conflict, points, sent)
    bound = _BOUND.search(message)
    retention = _RETENTION.search(message)
    if bound is not None and retention is not None:
        return _retention(bound[1], int(retention[1]), retention[2], points, sent)
    return None


def _conflict(found: re.Match[str], points: Points, sent: Lines) -> Reason:
    field, measurement = unquote(found[1]), unquote(found[2])
    kind, stored = found[3], found[4]
    lines = np.intersect1d(_lines_with(points, measurement, field, kind), sent)
    text = (
        f"The field {field!r} of {measurement!r} is {stored} in the store and {kind} in this line;"
        f" InfluxDB holds one type of a field in a shard group. Send it as {stored}, or under another name."
    )
    return Reason(TYPE_CONFLICT, text, lines, int(found[5]), TypeClash(measurement, field, FieldType(kind)))


def _retention(bound: str, counted: int, duration: str, points: Points, sent: Lines) -> Reason | None:
    try:
        bound_ns = parse_time(bound, "bound")
    except InvalidParameter:
        return None
    text = f"The time lies before {bound}, and the bucket keeps {duration}."
    return Reason(OUTSIDE_RETENTION, text, sent[points.times_ns[sent] < bound_ns], counted)


def _lines_with(points: Points, measurement: str, field: str, kind: str) -> Lines:
    """Lines that hold `field` of `measurement` with type `kind`, ascending."""
    wanted = [number for number, key in enumerate(points.keys) if key.field == field and key.measurement == measurement and key.type.value == kind]
    found = [column.lines[np.isin(column.keys, wanted)] for column in points.columns if column.type.value == kind]
    return np.unique(np.concatenate([*found, np.zeros(0, np.int32)])).astype(np.int64)


def unquote(text: str) -> str:
    """The string that Go printed as `text` with `%q`."""
    return _ESCAPE.sub(_unescape, text[1:-1])


def _unescape(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    return chr(int(digits, 16)) if digits else _ESCAPED.get(found[4], found[4])
