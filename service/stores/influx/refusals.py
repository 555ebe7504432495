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
_CONFLICT = re.compile(
    rf"input field ({_QUOTED}) on measurement ({_QUOTED}) is type ({_TYPE}), already exists as type ({_TYPE}){_END}",
    re.DOTALL,
)
_DURATION = "[0-9][0-9hmsuµn.]{0,40}"
_RETENTION = re.compile(rf"dropped (\d+) points outside retention policy of duration ({_DURATION}) - oldest ")
_BOUND = re.compile(rf"violates a Retention Policy Lower Bound at (\S+){_END}")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True)
class Reason:
    """One reason of a refusal: its code, a text for the caller, and the lines that it is about.

    `counted`: how many lines the server counted. `clash`: the field that has two types.
    """

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


def _conflict(match: re.Match[str], points: Points, sent: Lines) -> Reason:
    field, measurement = unquote(match[1]), unquote(match[2])
    sent_type, stored = match[3], match[4]
    lines = np.intersect1d(_lines_with(points, measurement, field, sent_type), sent)
    text = (
        f"The field {field!r} of {measurement!r} is {stored} in the store and {sent_type} in this line;"
        f" InfluxDB holds one type of a field in a shard group. Send it as {stored}, or under another name."
    )
    clash = TypeClash(measurement, field, FieldType(sent_type))
    return Reason(TYPE_CONFLICT, text, lines, int(match[5]), clash)


def _retention(bound: str, counted: int, duration: str, points: Points, sent: Lines) -> Reason | None:
    try:
        bound_ns = parse_time(bound, "bound")
    except InvalidParameter:
        return None
    text = f"The time lies before {bound}, and the bucket keeps {duration}."
    return Reason(OUTSIDE_RETENTION, text, sent[points.times_ns[sent] < bound_ns], counted)


def _lines_with(points: Points, measurement: str, field: str, sent_type: str) -> Lines:
    """Lines that hold `field` of `measurement` with type `sent_type`, ascending."""
    sent = (measurement, field, sent_type)
    series = [place for place, key in enumerate(points.keys) if (key.measurement, key.field, key.type.value) == sent]
    columns = [column for column in points.columns if column.type.value == sent_type]
    lines_of_columns = [column.lines[np.isin(column.keys, series)] for column in columns]
    return np.unique(np.concatenate([*lines_of_columns, np.zeros(0, np.int32)])).astype(np.int64)


def unquote(text: str) -> str:
    """The string that Go printed as `text` with `%q`."""
    return _ESCAPE.sub(_unescape, text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    return chr(int(digits, 16)) if digits else _ESCAPED.get(match[4], match[4])
