"""Points on their way into a store: parsed, typed and columnar, with the text of each line kept.

The text serves a store that takes line protocol, the columns one that takes values; line numbers
lead a refusal back to what the caller sent.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import FieldType


@dataclass(frozen=True)
class FieldKey:
    """A series as stored: measurement, tags sorted by key, field, and the type of the values."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    field: str
    type: FieldType


@dataclass(frozen=True)
class ValueColumn:
    """Values of one type, in the order of their lines.

    `keys[i]` indexes `Points.keys`, `lines[i]` the per-line arrays of `Points`, `values[i]` is the
    value (pyarrow type as in `service.frames.frame.VALUE_TYPES`, no nulls).
    """

    type: FieldType
    keys: npt.NDArray[np.int32]
    lines: npt.NDArray[np.int32]
    values: pa.Array


@dataclass(frozen=True)
class Points:
    """A batch of parsed points, one a line.

    `text` holds the lines, each ended by a line feed, each with its time in nanoseconds;
    `offsets[i]:offsets[i + 1]` is line i of it. `numbers[i]` is where the line stood in what the
    caller sent, counted from 1. When one line, or two lines of one series and time, name a field
    twice, the later value counts.
    """

    text: bytes
    offsets: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    times_ns: npt.NDArray[np.int64]
    keys: tuple[FieldKey, ...]
    columns: tuple[ValueColumn, ...]

    def __len__(self) -> int:
        return len(self.times_ns)


@dataclass(frozen=True)
class BadLine:
    """A line that is no line protocol: its number (from 1), its text (cut to 200 characters), and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class ParsedLines:
    points: Points
    bad: tuple[BadLine, ...]
