"""Dead letters as long frames again, so that they are sent as what they were."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from service.domain.schema import FieldType
from service.frames.frame import TEXT_CODES, VALUE_TYPES, constant_codes, long_schema
from service.transfer.dead_letters import DeadLetter


def frame_of(letter: DeadLetter) -> pa.RecordBatch | None:
    """The one value of a dead letter; None: it is no value of a series, so that it can only be looked at."""
    try:
        field_type = FieldType(letter["type"])
        tags: dict[str, str] = dict(sorted(letter["tags"].items()))
        value = pa.array([_value(field_type, letter["value"])], VALUE_TYPES[field_type])
        times = pa.array([letter["time_ns"]], pa.int64()).view(pa.timestamp("ns", "UTC"))
        names = [constant_codes(letter["field"], 1), constant_codes(letter["measurement"], 1)]
        tag_columns = [constant_codes(text, 1) for text in tags.values()]
        return pa.RecordBatch.from_arrays(
            [times, value, *names, *tag_columns], schema=long_schema(field_type, tuple(tags))
        )
    except (KeyError, ValueError, AttributeError, TypeError, pa.ArrowException):
        return None


def frames_of(letters: Iterable[DeadLetter]) -> list[pa.RecordBatch]:
    """The frames of letters that are values, joined where neighbours have one schema."""
    frames: list[pa.RecordBatch] = []
    for letter in letters:
        frame = frame_of(letter)
        if frame is None:
            continue
        if frames and frames[-1].schema == frame.schema and _same_measurement(frames[-1], frame):
            frames[-1] = _joined([frames[-1], frame])
        else:
            frames.append(frame)
    return frames


def _same_measurement(left: pa.RecordBatch, right: pa.RecordBatch) -> bool:
    return bool(left.column(3)[0] == right.column(3)[0])


def _joined(frames: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.Table.from_batches(frames).unify_dictionaries().combine_chunks()
    columns = [
        column.chunk(0).cast(TEXT_CODES) if pa.types.is_dictionary(column.type) else column.chunk(0)
        for column in table.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=frames[0].schema)


def _value(field_type: FieldType, text: str) -> object:
    """The value that `text`, of the member `value`, was made of. Raises ValueError."""
    if field_type is FieldType.STRING:
        return text
    if field_type is FieldType.BOOLEAN:
        return {"true": True, "false": False}[text.lower()]
    return float(text) if field_type is FieldType.FLOAT else int(text)
