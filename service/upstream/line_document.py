"""Line protocol as a payload: one line per series and time, with all fields that the batch holds of it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from service.domain.bisection import Part, Sensors
from service.domain.series import SeriesKey
from service.lineprotocol.writer import write_block
from service.transfer.dead_letters import DeadLetter, dead_letters_of_unwritable, dead_letters_of_values
from service.upstream.document import Ints
from service.upstream.value_table import rows_of


class LineDocument:
    """An item is a line. Values that no line can hold are in `letters`."""

    content_type = "text/plain; charset=utf-8"

    def __init__(self, frames: Sequence[pa.RecordBatch]) -> None:
        written = write_block(tuple(frames))
        self._points = written.points
        self.letters = [letter for values in written.unwritable for letter in dead_letters_of_unwritable(values)]

    def __len__(self) -> int:
        return len(self._points.times_ns)

    def body(self, part: Part) -> bytes:
        text, offsets = memoryview(self._points.text), self._points.offsets
        if isinstance(part, range):
            return bytes(text[offsets[part.start] : offsets[part.stop]])
        return b"".join([text[offsets[line] : offsets[line + 1]] for line in part])

    def values(self, part: Part) -> int:
        return int(self._values_of_line[rows_of(part)].sum())

    def sensors_of(self, part: Part) -> Sensors:
        return int(self._series_of_line[part[0]]), int(self._series_of_line[part[-1]])

    def dead_letters(self, part: Part, code: str, reason: str, **members: object) -> list[DeadLetter]:
        return dead_letters_of_values(self._points, part, code, reason, **members)

    def places(self, part: Part) -> Ints:
        return np.arange(len(part))

    def named(self, part: Part, sensor: str, timestamp: str | int | None) -> Ints:
        """None: a line holds no names of sensors, and the configuration refuses to look for them."""
        return np.zeros(0, np.int64)

    @cached_property
    def _values_of_line(self) -> Ints:
        counts = np.zeros(len(self), np.int64)
        for column in self._points.columns:
            counts += np.bincount(column.lines, minlength=len(self))
        return counts

    @cached_property
    def _series_of_line(self) -> Ints:
        """Lines are ordered by series, so the numbers ascend."""
        numbers: dict[SeriesKey, int] = {}
        series_of_line = np.zeros(len(self), np.int64)
        of_key = np.array([numbers.setdefault(key.key, len(numbers)) for key in self._points.keys], np.int64)
        for column in self._points.columns:
            series_of_line[column.lines] = of_key[column.keys]
        changes: Ints = np.cumsum(np.diff(series_of_line, prepend=series_of_line[:1]) != 0)
        return changes
