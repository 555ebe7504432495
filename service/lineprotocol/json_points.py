"""Turns JSON points into line protocol, so that a store gets both in the same way.

A point that line protocol cannot hold is refused with its index and the reason; nothing is changed. Numbers keep the
type in which they are written: `7` is an integer, `7.0` a float.
"""

import math
from collections.abc import Callable, Iterable, Mapping

from service.domain.schema import FieldType
from service.domain.timerange import EARLIEST_NS, LATEST_NS, parse_time
from service.errors import InvalidParameter, PointsRefused
from service.lineprotocol.names import Unwritable, quote_field, quote_measurement, quote_tag
from service.lineprotocol.parser import UNITS_NS
from service.lineprotocol.single_line import MAX_STRING_BYTES

_MEMBERS = {"measurement", "tags", "fields", "time"}
_MOST_REPORTED = 100
_MOST_WRONG = 10_000
"""Wrong points after which the rest is not read."""
_CHECKED_POINTS = 64
_LONGEST_TIME = 100
"""Longer than any valid time, so cutting a text to it never makes a valid time."""
_SHOWN = 60


def points_to_lines(points: Iterable[object], precision: str = "ns", check: Callable[[], None] = lambda: None) -> bytes:
    """Line protocol with times in `precision`: one line per point, in the order of `points`.

    `check` is called every few points; an exception of it ends the work.

    A point is `{"measurement": "m", "tags": {"k": "v"}, "fields": {"f": 1.5}, "time": ...}`; `tags` and `time` are
    optional. `time` is a whole number of `precision`, or RFC 3339 with an offset and no finer than `precision`. A field
    is a JSON number (`7` integer, `7.0` or `7e0` float), a boolean or a string; or an object that names the type:
    `{"value": 7, "type": "float"}`, with `float`, `integer`, `unsigned`, `string` or `boolean`.

    Raises:
        PointsRefused: some points are wrong; `points` lists the index (from 0) and the reason of the first 100.
        InvalidParameter: another precision than ns, us, ms, s.
    """
    unit_ns = UNITS_NS.get(precision)
    if unit_ns is None:
        raise InvalidParameter("precision", f"precision={precision!r} is none of ns, us, ms, s.")
    lines, wrong_count, index = bytearray(), 0, -1
    wrong: list[dict[str, object]] = []
    for index, point in enumerate(points):
        if index % _CHECKED_POINTS == 0:
            check()
        try:
            lines += _line(point, unit_ns)
        except Unwritable as reason:
            wrong_count += 1
            if len(wrong) < _MOST_REPORTED:
                wrong.append({"index": index, "reason": f"{reason}."})
            if wrong_count == _MOST_WRONG:
                break
    if wrong:
        count = f"At least {wrong_count}" if wrong_count == _MOST_WRONG else f"{wrong_count} of {index + 1}"
        first = f"Point {wrong[0]['index']}: {wrong[0]['reason']}"
        raise PointsRefused(f"{count} points cannot be taken. {first}", points=wrong)
    return bytes(lines)


def format_value(value: object, field_type: FieldType) -> bytes:
    """The exact text of `value` as a field value of this type. Raises Unwritable when it has another type."""
    if field_type is FieldType.BOOLEAN:
        if isinstance(value, bool):
            return b"true" if value else b"false"
    elif field_type is FieldType.STRING:
        if isinstance(value, str):
            return _string(value)
    elif isinstance(value, bool):
        pass
    elif field_type is FieldType.FLOAT:
        if isinstance(value, int | float):
            return _float(value)
    elif isinstance(value, int):
        lowest, highest, suffix = (-(2**63), 2**63 - 1, "i") if field_type is FieldType.INTEGER else (0, 2**64 - 1, "u")
        if not lowest <= value <= highest:
            raise Unwritable(f"{_shown(value)} is outside {lowest} to {highest}, what type {field_type.value} holds")
        return f"{value}{suffix}".encode()
    raise Unwritable(f"{_shown(value)} is no {field_type.value}")


def _float(value: float) -> bytes:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unwritable("NaN, infinity and numbers beyond a 64-bit float cannot be stored; leave the field out")
    if isinstance(value, int) and int(number) != value:
        raise Unwritable(f"{_shown(value)} is no 64-bit float: the nearest one is {int(number)}")
    return repr(number).encode()


def _string(value: str) -> bytes:
    try:
        content = value.encode()
    except UnicodeEncodeError:
        raise Unwritable("the string holds half a surrogate pair, which is no text") from None
    if len(content) > MAX_STRING_BYTES:
        raise Unwritable(f"the string has {len(content)} bytes; InfluxDB holds at most {MAX_STRING_BYTES}")
    return b'"' + content.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _line(point: object, unit_ns: int) -> bytes:
    if not isinstance(point, Mapping):
        raise Unwritable('a point is an object with "measurement" and "fields"')
    unknown = sorted(map(str, set(point) - _MEMBERS))
    if unknown:
        raise Unwritable(f"a point has no member {_shown(unknown[0])}; it has measurement, tags, fields and time")
    measurement, fields = point.get("measurement"), point.get("fields")
    if not isinstance(measurement, str):
        raise Unwritable('"measurement" must be a string')
    if not isinstance(fields, Mapping) or not fields:
        raise Unwritable('"fields" must be an object with at least one field')
    tags = b"".join([b"," + _tag(key, value) for key, value in sorted(_tags(point).items())])
    values = b",".join([quote_field(name) + b"=" + _field(name, value) for name, value in fields.items()])
    return quote_measurement(measurement) + tags + b" " + values + _time(point.get("time"), unit_ns) + b"\n"


def _tags(point: Mapping[str, object]) -> Mapping[str, object]:
    tags = point.get("tags")
    if tags is None:
        return {}
    if not isinstance(tags, Mapping):
        raise Unwritable('"tags" must be an object of strings')
    return tags


def _tag(key: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise Unwritable(f"the value of the tag {_shown(key)} must be a string, not {_shown(value)}")
    return quote_tag(key, value)


def _field(name: str, value: object) -> bytes:
    try:
        if isinstance(value, Mapping):
            return _typed(value)
        return format_value(value, _type_of(value))
    except Unwritable as reason:
        raise Unwritable(f"the field {_shown(name)}: {reason}") from None


def _typed(value: Mapping[str, object]) -> bytes:
    if set(value) != {"value", "type"}:
        raise Unwritable('an object as a field is {"value": ..., "type": ...}')
    types = {field_type.value: field_type for field_type in FieldType}
    field_type = types.get(str(value["type"]))
    if field_type is None:
        raise Unwritable(f"the type {_shown(value['type'])} is none of {', '.join(types)}")
    return format_value(value["value"], field_type)


def _type_of(value: object) -> FieldType:
    if isinstance(value, bool):
        return FieldType.BOOLEAN
    if isinstance(value, int):
        return FieldType.INTEGER
    if isinstance(value, float):
        return FieldType.FLOAT
    if isinstance(value, str):
        return FieldType.STRING
    if value is None:
        raise Unwritable("null cannot be stored; leave the field out")
    raise Unwritable(f"{_shown(value)} is no value of a field")


def _time(time: object, unit_ns: int) -> bytes:
    if time is None:
        return b""
    if isinstance(time, str):
        try:
            time_ns = parse_time(time[:_LONGEST_TIME], "time")
        except InvalidParameter as wrong:
            raise Unwritable(wrong.message.rstrip(".")) from None
        if time_ns % unit_ns:
            raise Unwritable(f"the time {_shown(time)} is finer than the precision of the request; send precision=ns")
        time = time_ns // unit_ns
    if isinstance(time, bool) or not isinstance(time, int):
        raise Unwritable(f"the time {_shown(time)} is neither a whole number nor RFC 3339 with an offset")
    if not EARLIEST_NS <= time * unit_ns <= LATEST_NS:
        domain = "outside 1677-09-21 to 2262-04-11, what InfluxDB can store"
        raise Unwritable(f"the time {_shown(time)} is {domain}; is the precision right?")
    return f" {time}".encode()


def _shown(value: object) -> str:
    text = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
