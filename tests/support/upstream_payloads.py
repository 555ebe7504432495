"""Reads the bodies that an upstream gets back into values, by the standard library and by nothing of the service."""

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{9}))?Z", re.ASCII)


class Value(NamedTuple):
    """A value as it arrived. `time_ns`: a whole millisecond for ThingsBoard. `text` tells 1, 1.0, "1" and true apart.

    For line protocol, `sensor` is what stands before the first space, a dot and the field.
    """

    sensor: str
    time_ns: int
    text: str


def value_of(sensor: str, time_ns: int, value: Any) -> Value:
    """The value that is expected to arrive."""
    return Value(sensor, time_ns, json.dumps(value) if isinstance(value, (str, bool)) else repr(value))


def parsed_time_ns(text: str) -> int:
    match = _TIME.fullmatch(text)
    assert match is not None, text
    seconds = (dt.datetime.fromisoformat(f"{match[1]}+00:00") - _EPOCH) // dt.timedelta(seconds=1)
    return seconds * 1_000_000_000 + int(match[2] or 0)


def _strict(text: bytes) -> Any:
    """The document of strict JSON: NaN and infinities are no JSON, and no name comes twice."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in members}) == len(members), "a name comes twice"
        return dict(members)

    return json.loads(text.decode("utf-8"), parse_constant=refuse, object_pairs_hook=pairs)


def read_sensors(text: bytes) -> list[Value]:
    document = _strict(text)
    assert document.keys() == {"start_time", "end_time", "data"}
    values = []
    for sensor, entries in document["data"].items():
        assert entries, f"{sensor} has no values"
        for entry in entries:
            assert entry.keys() == {"timestamp", "value"}
            values.append(value_of(sensor, parsed_time_ns(entry["timestamp"]), entry["value"]))
    return values


def read_thingsboard(text: bytes) -> list[Value]:
    values = []
    for element in _strict(text):
        assert element.keys() == {"ts", "values"}
        for sensor, value in element["values"].items():
            values.append(value_of(sensor, element["ts"] * 1_000_000, value))
    return values


def read_ndjson(text: bytes) -> list[Value]:
    values = []
    for line in text.decode().split("\n")[:-1]:
        entry = _strict(line.encode())
        values.append(value_of(entry["sensor"], parsed_time_ns(entry["timestamp"]), entry["value"]))
    return values


_ONE_FIELD = r'(?:\\.|[^\\=, ])+=(?:"(?:\\.|[^"\\])*"|[^," ]+)'
_LINE = re.compile(rf"((?:\\.|[^\\ ])+) ({_ONE_FIELD}(?:,{_ONE_FIELD})*) (-?\d+)\n", re.DOTALL)
_FIELD = re.compile(r'((?:\\.|[^\\=, ])+)=("(?:\\.|[^"\\])*"|[^," ]+)(?:,|$)', re.DOTALL)
"""A quote begins a text only after the equals sign; in names it is a letter like any other."""


def read_line_protocol(text: bytes) -> list[Value]:
    values = []
    lines = text.decode()
    matches = list(_LINE.finditer(lines))
    assert "".join(match[0] for match in matches) == lines
    for prefix, fields, time in (match.groups() for match in matches):
        values += [Value(f"{prefix}.{name}", int(time), value) for name, value in _FIELD.findall(fields)]
    return values


READERS: dict[str, Callable[[bytes], list[Value]]] = {
    "sensors": read_sensors,
    "thingsboard": read_thingsboard,
    "ndjson": read_ndjson,
    "lineprotocol": read_line_protocol,
}
