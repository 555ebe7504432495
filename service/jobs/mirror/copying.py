"""Copies a stretch of slices: block by block out of the source and into the target, with a digest of what was read.

The digest is of the source's points, so that holding the target against it afterwards shows what is missing.
What the target refuses is counted, told and kept in the dead-letter file; with a policy for conflicting types,
only the conflicting values are left out or written as text, and the rest of their lines goes.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.mirror import OnConflict, Part, slice_start
from service.domain.schema import FieldType
from service.domain.timerange import TimeRange, format_time
from service.errors import MirrorConflict
from service.frames.folded import Folded, folded
from service.frames.frame import VALUE_TYPES, Block
from service.frames.points import FieldKey, Points
from service.frames.slices import SliceDigester
from service.frames.unwritten import Unwritten
from service.jobs.mirror.sides import Side, Tallies, told_by
from service.stores.protocol import Refusal, TypeClash, WriteOutcome

_IN_FLIGHT = 2
"""Writes under way while the next block is read and encoded."""
_FOLDED_TOGETHER = 100_000
"""Small blocks are written together, up to about so many values."""
_LEFT_OUT, _WRITTEN_AS_TEXT = "left out", "written as text to the field whose name ends in _string"
ClashAt = tuple[TypeClash, int]
"""A field that clashes in the slice that begins there; the next shard group may take it."""
_TYPES = {stored: kind for kind, stored in VALUE_TYPES.items()}


@dataclass
class Copied:
    """What was read from the source, by short slices, and how many of its values the target did not take."""

    digests: Tallies
    rejected: Counter[int] = field(default_factory=Counter)
    points: int = 0


class Copier:
    """Copies stretches from `source` to `target`. `before_write` raises when the run has to end; `letters` takes dead letters."""

    def __init__(
        self,
        source: Side,
        target: Side,
        on_conflict: OnConflict,
        before_write: Callable[[], None],
        letters: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> None:
        self._source = source
        self._target = target
        self._on_conflict = on_conflict
        self._before_write = before_write
        self._letters = letters
        self._counting = threading.Lock()

    def copy(self, parts: Sequence[Part], span: TimeRange, step_ns: int) -> Copied:
        """Copy the points of `span`, whole slices of `step_ns`. May be done again.

        Raises:
            MirrorConflict: a field has another type on the target, and the policy is to stop. StoreError, RetryLater, JobInterrupted.
        """
        digester = SliceDigester(step_ns, self._source.stamped_at_stop)
        copied = Copied(digester.slices)
        clashes: set[ClashAt] = set()
        under_way: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_IN_FLIGHT, "mirror-write") as writers:
            try:
                for block in _together(self._source.blocks(parts, span)):
                    self._before_write()
                    for frame in block:
                        digester.add(frame)
                        copied.points += frame.num_rows
                    while len(under_way) >= _IN_FLIGHT:
                        under_way.popleft().result()
                    under_way.append(writers.submit(self._write, block, copied, clashes, step_ns))
                while under_way:
                    under_way.popleft().result()
            finally:
                for one in under_way:  # after an error: what is on its way ends before the stretch is tried again
                    one.cancel()
                    with suppress(Exception):
                        one.result()
        return copied

    def _write(self, block: Block, copied: Copied, clashes: set[ClashAt], step_ns: int) -> None:
        while True:
            with self._counting:
                known = frozenset(clashes)
            taken, left_out = fitting(block, known, self._on_conflict, step_ns)
            written = folded(taken)
            outcome = self._send(written.points)
            times = written.points.times_ns
            fresh = {(one.clash, slice_start(int(times[one.line - 1]), step_ns)) for one in outcome.refused if one.clash is not None} - known
            if not fresh:
                self._reject(written, outcome.refused, left_out, copied, step_ns)
                return
            if self._on_conflict is OnConflict.FAIL:
                raise MirrorConflict(next(one.reason for one in outcome.refused if one.clash is not None), self._target.bucket)
            with self._counting:
                clashes.update(fresh)

    def _send(self, points: Points) -> WriteOutcome:
        self._before_write()
        with told_by(self._target.role, self._target.endpoint):
            return self._target.store.write(self._target.bucket, points)

    def _reject(self, written: Folded, refused: Sequence[Refusal], left_out: Sequence[Mapping[str, Any]], copied: Copied, step_ns: int) -> None:
        letters, rejected = [*left_out], Counter[int]()
        shift = 1 if self._source.stamped_at_stop else 0
        for one in written.unwritten:
            letters += _letters_of(one)
            rejected.update(slice_start(int(time_ns) - shift, step_ns) for time_ns in one.times_ns)
        if refused:
            values = values_of_lines(written.points)
            for refusal in refused:
                line = refusal.line - 1
                letters.append({"line": _line(written.points, line), "code": refusal.code, "reason": refusal.reason})
                rejected[slice_start(int(written.points.times_ns[line]) - shift, step_ns)] += int(values[line])
        rejected.update(slice_start(letter["time_ns"] - shift, step_ns) for letter in left_out)
        if letters:
            self._letters([{"bucket": self._target.bucket, **letter} for letter in letters])
        with self._counting:
            copied.rejected.update(rejected)


def fitting(block: Block, clashes: frozenset[ClashAt], on_conflict: OnConflict, step_ns: int) -> tuple[Block, list[dict[str, Any]]]:
    """`block` without the values of fields in slices where they clash (as text under another name when the policy says so), and a letter for each."""
    if not clashes:
        return block, []
    taken: list[pa.RecordBatch] = []
    letters: list[dict[str, Any]] = []
    for frame in block:
        clashing = _clashing(frame, clashes, step_ns)
        out = frame.filter(clashing)
        taken.append(frame.filter(pc.invert(clashing)) if out.num_rows else frame)
        if on_conflict is OnConflict.AS_STRING and out.num_rows:
            text = _as_text(out)
            clashing = _clashing(text, clashes, step_ns)  # the field for the text may have another type, too
            taken.append(text.filter(pc.invert(clashing)))
            letters += _letters_of_frame(out.filter(pc.invert(clashing)), _WRITTEN_AS_TEXT)
            out = out.filter(clashing)
        letters += _letters_of_frame(out, _LEFT_OUT)
    return tuple(frame for frame in taken if frame.num_rows), letters


def _clashing(frame: pa.RecordBatch, clashes: frozenset[ClashAt], step_ns: int) -> pa.BooleanArray:
    """Which rows of a frame, of one measurement, are of a field that clashes in their slice."""
    kind, measurement = _TYPES[frame.schema.field(1).type], frame.column(3)[0].as_py()
    mine = [(one.field, at) for one, at in clashes if one.measurement == measurement and one.sent is kind]
    found = np.zeros(frame.num_rows, np.bool_)
    if mine:
        names, times = frame.column(2).cast(pa.string()), frame.column(0).cast(pa.int64()).to_numpy()
        for name in {name for name, _ in mine}:
            inside = np.isin(times // step_ns, [at // step_ns for one, at in mine if one == name])
            found |= inside & pc.equal(names, name).to_numpy(zero_copy_only=False)
    return pa.array(found)


def _as_text(frame: pa.RecordBatch) -> pa.RecordBatch:
    fields = frame.column(2)
    renamed = pa.DictionaryArray.from_arrays(fields.indices, pc.binary_join_element_wise(fields.dictionary, "_string", ""))
    columns = [frame.column(0), frame.column(1).cast(pa.string()), renamed, *frame.columns[3:]]
    schema = frame.schema.set(1, pa.field("_value", VALUE_TYPES[FieldType.STRING], nullable=False))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def values_of_lines(points: Points) -> "np.typing.NDArray[np.int64]":
    """How many values each line has."""
    counts = np.zeros(len(points), np.int64)
    for column in points.columns:
        counts += np.bincount(column.lines, minlength=len(points))
    return counts


def _together(blocks: Iterator[Block]) -> Iterator[Block]:
    """Small blocks joined: a bucket of many small measurements makes few writes."""
    gathered: list[pa.RecordBatch] = []
    size = 0
    for block in blocks:
        gathered += block
        size += sum(frame.num_rows for frame in block)
        if size >= _FOLDED_TOGETHER:
            yield tuple(gathered)
            gathered, size = [], 0
    if gathered:
        yield tuple(gathered)


def _line(points: Points, line: int) -> str:
    return points.text[points.offsets[line] : points.offsets[line + 1]].decode("utf-8", "replace").rstrip("\n")


def _letters_of(one: Unwritten) -> list[dict[str, Any]]:
    told = {**_named(one.key), "code": "unwritable", "reason": one.reason}
    found = zip(one.times_ns.tolist(), one.values.to_pylist(), strict=True)
    return [{**told, "time": format_time(time_ns), "value": str(value)} for time_ns, value in found]


def _named(key: FieldKey) -> dict[str, Any]:
    return {"measurement": key.measurement, "tags": dict(key.tags), "field": key.field, "type": key.type.value}


def _letters_of_frame(frame: pa.RecordBatch, done: str) -> list[dict[str, Any]]:
    kind = _TYPES[frame.schema.field(1).type]
    reason = f"The field has another type on the target; the value was {done}."
    times = frame.column(0).cast(pa.int64()).to_pylist()
    tags = frame.schema.names[4:]
    rows = zip(times, *(frame.column(place).to_pylist() for place in range(1, frame.num_columns)), strict=True)
    return [
        {
            "measurement": measurement, "tags": {key: text for key, text in zip(tags, own, strict=True) if text is not None}, "field": name,
            "type": kind.value, "code": "type_conflict", "reason": reason, "time": format_time(time_ns), "time_ns": time_ns, "value": str(value),
        }
        for time_ns, value, name, measurement, *own in rows
    ]  # fmt: skip
