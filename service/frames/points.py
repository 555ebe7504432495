"""Points on their way into a store: parsed into typed columns, with the text of each line.

A store that takes line protocol sends the text; a store that takes values reads the columns. Line numbers connect
a refusal with what the caller sent.
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

    `keys[i]` is an index into `Points.keys`, `lines[i]` one into the arrays of `Points` that have an item per line.
    `values[i]` is the value, in the type of `service.frames.frame.VALUE_TYPES`; none is null.
    """

    type: FieldType
    keys: npt.NDArray[np.int32]
    lines: npt.NDArray[np.int32]
    values: pa.Array


Contents = tuple[tuple[FieldSeries, ...], tuple[ValueColumn, ...]]
"""The content of lines: their field series, and the values of each type."""


class Points:
    """A batch of parsed points, one per line. Nothing in it may be changed.

    `text` holds the lines. Each has its time in nanoseconds and ends with a line feed;
    `text[offsets[i]:offsets[i + 1]]` is line i. `numbers[i]` is the number of line i in what the caller sent, counted
    from 1. Where one line, or two lines of one series and time, name a field twice, the later value counts.
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
        """Points whose keys and columns `make` computes at the first use. A store that takes text never uses them."""
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
    """A line that is not line protocol: its number (from 1), its text (cut to 200 characters) and the reason."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class ParsedLines:
    """The points of a body. `bad` holds the first thousand bad lines in order; `bad_count` counts all of them.

    `ended_early` is the reason why parsing ended before the end of the body. Then there are no points, and `bad_count`
    counts the bad lines up to there. When it is empty, the whole body was parsed.
    """

    points: Points
    bad: tuple[BadLine, ...]
    bad_count: int
    ended_early: str = ""
