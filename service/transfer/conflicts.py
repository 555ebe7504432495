"""Leaves values out of a block whose field has another type on the target, or turns them into text."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.conflicts import OnConflict
from service.domain.schema import FieldType
from service.frames import long_form
from service.frames.frame import VALUE_TYPES, Block, value_type
from service.stores.protocol import TypeClash
from service.transfer.dead_letters import DeadLetter, dead_letters_of_frame

_LEFT_OUT, _WRITTEN_AS_TEXT = "left out", "written as text to the field whose name ends in _string"
Conflict = tuple[TypeClash, int]
"""A field that conflicts in the slice that begins at that time. The next shard group may take it."""


def without_conflicts(
    block: Block,
    conflicts: frozenset[Conflict],
    on_conflict: OnConflict,
    step_ns: int,
) -> tuple[Block, list[DeadLetter]]:
    """`block` without the values of fields in slices where they conflict, and a dead letter for each.

    Where the policy says so, they are in the block as text, under another name.
    """
    kept: list[pa.RecordBatch] = []
    letters: list[DeadLetter] = []
    for frame in block:
        is_conflict = _in_conflict(frame, conflicts, step_ns)
        out = frame.filter(is_conflict)
        kept.append(frame.filter(pc.invert(is_conflict)) if out.num_rows else frame)
        if on_conflict is OnConflict.AS_STRING and out.num_rows:
            text = _as_text(out)
            is_conflict = _in_conflict(text, conflicts, step_ns)  # the field for the text may have another type, too
            kept.append(text.filter(pc.invert(is_conflict)))
            letters += dead_letters_of_frame(out.filter(pc.invert(is_conflict)), _WRITTEN_AS_TEXT)
            out = out.filter(is_conflict)
        letters += dead_letters_of_frame(out, _LEFT_OUT)
    return tuple(frame for frame in kept if frame.num_rows), letters


def _in_conflict(frame: pa.RecordBatch, conflicts: frozenset[Conflict], step_ns: int) -> pa.BooleanArray:
    """Which rows of a frame, of one measurement, are of a field that conflicts in their slice."""
    field_type, measurement = value_type(frame), long_form.measurement(frame)
    of_measurement = [(clash, start_ns) for clash, start_ns in conflicts if clash.measurement == measurement]
    of_frame = [(clash.field, start_ns) for clash, start_ns in of_measurement if clash.sent is field_type]
    rows = np.zeros(frame.num_rows, np.bool_)
    if of_frame:
        names, times_ns = long_form.fields(frame).cast(pa.string()), long_form.times_ns(frame)
        for field in {field for field, _ in of_frame}:
            slices = [start_ns // step_ns for name, start_ns in of_frame if name == field]
            in_slice = np.isin(times_ns // step_ns, slices)
            rows |= in_slice & pc.equal(names, field).to_numpy(zero_copy_only=False)
    return pa.array(rows)


def _as_text(frame: pa.RecordBatch) -> pa.RecordBatch:
    fields = long_form.fields(frame)
    names = pc.binary_join_element_wise(fields.dictionary, "_string", "")
    renamed = pa.DictionaryArray.from_arrays(fields.indices, names)
    texts = long_form.values(frame).cast(VALUE_TYPES[FieldType.STRING])
    return long_form.with_fields(long_form.with_values(frame, texts), renamed)
