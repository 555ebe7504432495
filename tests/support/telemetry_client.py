"""A client of /telemetry/stream as docs/telemetry.md tells people to write it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: str = ""


def events_of(lines: Iterable[str]) -> Iterator[Event]:
    """The events in the lines of a stream; comments and `retry` are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif line:
            continue
        elif "event" in fields:
            yield Event(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
            fields = {}
        else:
            fields = {}


def applied(known: Any, event: Event) -> Any:
    """What is known after an event of a stream with format=thingsboard or flat, with or without `by`."""
    if event.name == "state":
        return event.data
    if "ts" in event.data:
        return _applied_to_object(known, event.data)
    devices = dict(known)
    for device, changes in event.data.items():
        if changes:
            devices[device] = [_applied_to_object(devices.get(device, [{"values": {}}])[0], changes[0])]
        else:
            devices.pop(device, None)
    return devices


def _applied_to_object(known: Any, change: Any) -> Any:
    values = {name: dict(value) if isinstance(value, dict) else value for name, value in known["values"].items()}
    for path in change.get("removed", []):
        owner = values if len(path) == 1 else values.get(path[0], {})
        owner.pop(path[-1], None)  # what came and went again was never known
    for name, value in change["values"].items():
        if isinstance(value, dict):
            values[name] = (values[name] if isinstance(values.get(name), dict) else {}) | value
        else:
            values[name] = value
    return {"ts": change["ts"], "values": values}


def applied_rows(known: Any, event: Event) -> Any:
    """What is known after an event of a stream with format=rows."""
    if event.name == "state":
        return event.data
    removed = [_series(row) for row in event.data.get("removed", [])]
    rows = {_series(row): row for row in known["rows"]} | {_series(row): row for row in event.data["rows"]}
    kept = [row for series, row in rows.items() if series not in removed]
    return {**{name: event.data[name] for name in ("ts", "latitude", "longitude")}, "rows": kept}


def _series(row: Any) -> str:
    return json.dumps([row["bucket"], row["measurement"], row["tags"], row["field"]], sort_keys=True)
