"""Points on their way into a store: parsed, typed and columnar, with the text of each line kept.

The text serves a store that takes line protocol, the columns one that takes values; line numbers
lead a refusal back to what the caller sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.series import FieldSeries


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


Contents = tuple[tuple[FieldSeries, ...], tuple[ValueColumn, ...]]
"""What lines say: their series, and the values of each type."""


class Points:
    """A batch of parsed points, one a line. Not to be altered.

    `text` holds the lines, each ended by a line feed, each with its time in nanoseconds;
    `offsets[i]:offsets[i + 1]` is line i of it. `numbers[i]` is where the line stood in what the
    caller sent, counted from 1. When one line, or two lines of one series and time, name a field
    twice, the later value counts.
    """

    def __init__(
        self,
        text: bytes,
        offsets: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
        times_ns: npt.NDArray[np.int64],
        keys: tuple[FieldSeries, ...],
        columns: tuple[ValueColumn, ...],
    ) -> None:
        self.text, self.offsets, self.numbers, self.times_ns = text, offsets, numbers, times_ns
        self._make: Callable[[], Contents] = lambda: (keys, columns)

    @classmethod
    def lazy(
        cls,
        text: bytes,
        offsets: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
        times_ns: npt.NDArray[np.int64],
        make: Callable[[], Contents],
    ) -> "Points":
        """Points whose keys and columns are made when they are first asked for: a store that takes the text may never ask."""
        points = cls(text, offsets, numbers, times_ns, (), ())
        points._make = make
        return points

    @property
    def keys(self) -> tuple[FieldSeries, ...]:
        return self._contents[0]

    @property
    def columns(self) -> tuple[ValueColumn, ...]:
        return self._contents[1]

    @cached_property
    def _contents(self) -> Contents:
        return self._make()

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
    """What a body says. `bad` names the first thousand bad lines in order, `bad_count` counts them all.

    `ended_early`: why parsing ended before the end of the body; then there are no points, and `bad_count`
    counts those up to there. Empty: the whole body was parsed.
    """

    points: Points
    bad: tuple[BadLine, ...]
    bad_count: int
    ended_early: str = ""
