"""A kept block in one value: which of its windows are known, as of when, and their rows. `unpack` takes nothing else.

The rows are Arrow IPC streams. The key stands in the value and is compared, so two selections never share one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from service.domain.selection import ReadPlan
from service.domain.timerange import TimeRange

_MAGIC = b"fgb1"
"""Names the format. A change that an older reader would misunderstand needs another."""
_LENGTH_BYTES = 8

PlanRecord = dict[str, dict[str, str]]
"""How each field of each measurement was read, its skipped types among it."""


@dataclass(frozen=True)
class Segment:
    """A range of known windows. The store was asked between `first_asked_ns` and `last_asked_ns`.

    No change since number `change` touched it when it was written.
    """

    span: TimeRange
    first_asked_ns: int
    last_asked_ns: int
    change: int


@dataclass(frozen=True)
class Entry:
    """What is kept under one name. `identity`: of the state of the bucket. Rows lie inside the segments."""

    key: str
    identity: tuple[str, ...]
    segments: tuple[Segment, ...]
    plan: PlanRecord
    frames: tuple[pa.RecordBatch, ...]


def record_of(plan: ReadPlan) -> PlanRecord:
    """What of a plan decides the rows of a window."""
    skipped: dict[tuple[str, str], list[str]] = {}
    for field in plan.skipped:
        skipped.setdefault((field.measurement, field.field), []).append(field.type.value)
    record: PlanRecord = {}
    for measurement in plan.measurements:
        texts = record.setdefault(measurement.name, {})
        for planned in measurement.fields:
            types, output = [*map(str, planned.types)], [*map(str, planned.output)]
            texts[planned.name] = repr((types, planned.fn, output, skipped.get((measurement.name, planned.name), [])))
    return record


def is_read_alike(kept: PlanRecord, wanted: PlanRecord) -> bool:
    """Whether windows that were read by `kept` are those that `wanted` reads.

    A field or measurement that appeared since has no points in them: its points would have changed the bucket there.
    """
    return all(
        name in wanted and all(wanted[name].get(field) == text for field, text in fields.items())
        for name, fields in kept.items()
    )


def pack(entry: Entry) -> bytes:
    """One value of an entry; `unpack` reads it back."""
    segments = [
        (segment.span.start_ns, segment.span.stop_ns, segment.first_asked_ns, segment.last_asked_ns, segment.change)
        for segment in entry.segments
    ]
    head = {"key": entry.key, "identity": entry.identity, "segments": segments, "plan": entry.plan}
    pieces: list[bytes] = [_MAGIC]
    for part in (json.dumps(head).encode(), *map(_stream, entry.frames)):
        pieces += [len(part).to_bytes(_LENGTH_BYTES, "big"), part]
    return b"".join(pieces)


def unpack(value: bytes) -> Entry | None:
    """The entry; None when `value` is not what `pack` made, or only a part of it."""
    if value[:4] != _MAGIC:
        return None
    try:
        head, *streams = _parts(memoryview(value)[4:])
        members = json.loads(bytes(head))
        segments = tuple(
            Segment(TimeRange(start_ns, stop_ns), first_ns, last_ns, change)
            for start_ns, stop_ns, first_ns, last_ns, change in members["segments"]
        )
        frames = tuple(batch for stream in streams for batch in pa.ipc.open_stream(pa.py_buffer(stream)))
        return Entry(members["key"], tuple(members["identity"]), segments, dict(members["plan"]), frames)
    except (ValueError, KeyError, TypeError, OSError, pa.ArrowException):
        return None


def _parts(value: memoryview) -> list[memoryview]:
    parts, place = [], 0
    while place < len(value):
        start = place + _LENGTH_BYTES
        place = start + int.from_bytes(value[place:start], "big")
        if place > len(value):
            raise ValueError("cut off")
        parts.append(value[start:place])
    return parts


def _stream(frame: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, frame.schema) as writer:
        writer.write_batch(frame)
    return bytes(sink.getvalue())


def joined(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The same windows in the fewest segments: those that touch become one, asked as early and as late as all."""
    merged: list[Segment] = []
    for segment in sorted(segments, key=lambda segment: segment.span):
        if merged and segment.span.start_ns <= merged[-1].span.stop_ns:
            before = merged[-1]
            merged[-1] = Segment(
                TimeRange(before.span.start_ns, max(before.span.stop_ns, segment.span.stop_ns)),
                min(before.first_asked_ns, segment.first_asked_ns),
                max(before.last_asked_ns, segment.last_asked_ns),
                min(before.change, segment.change),
            )
        else:
            merged.append(segment)
    return tuple(merged)
