"""Values whose field has another type on the target: told apart from the rest, and left out or turned to text as the mirror's policy says."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.mirror import OnConflict
from service.domain.schema import FieldType
from service.frames.frame import VALUE_TYPES, Block
from service.frames.rows import value_type
from service.stores.protocol import TypeClash
from service.transfer.dead_letters import Letter, letters_of_frame

_LEFT_OUT, _WRITTEN_AS_TEXT = "left out", "written as text to the field whose name ends in _string"
ClashAt = tuple[TypeClash, int]
"""A field that clashes in the slice that begins there; the next shard group may take it."""


def fitting(block: Block, clashes: frozenset[ClashAt], on_conflict: OnConflict, step_ns: int) -> tuple[Block, list[Letter]]:
    """`block` without the values of fields in slices where they clash (as text under another name when the policy says so), and a letter for each."""
    if not clashes:
        return block, []
    taken: list[pa.RecordBatch] = []
    letters: list[Letter] = []
    for frame in block:
        clashing = _clashing(frame, clashes, step_ns)
        out = frame.filter(clashing)
        taken.append(frame.filter(pc.invert(clashing)) if out.num_rows else frame)
        if on_conflict is OnConflict.AS_STRING and out.num_rows:
            text = _as_text(out)
            clashing = _clashing(text, clashes, step_ns)  # the field for the text may have another type, too
            taken.append(text.filter(pc.invert(clashing)))
            letters += letters_of_frame(out.filter(pc.invert(clashing)), _WRITTEN_AS_TEXT)
            out = out.filter(clashing)
        letters += letters_of_frame(out, _LEFT_OUT)
    return tuple(frame for frame in taken if frame.num_rows), letters


def _clashing(frame: pa.RecordBatch, clashes: frozenset[ClashAt], step_ns: int) -> pa.BooleanArray:
    """Which rows of a frame, of one measurement, are of a field that clashes in their slice."""
    kind, measurement = value_type(frame), frame.column(3)[0].as_py()
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
