"""Turns all blocks of a read into one table: one row per time, one column per series.

The columns are known only when the last block is there, so the whole table is held, and its size is bounded. What does
not fit is refused before the first byte, with what to ask for instead.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import FieldType
from service.encoding.columns import Column
from service.encoding.rows import Rows
from service.encoding.series_columns import TableSeries, table_columns
from service.errors import TableTooLarge
from service.frames import long_form
from service.frames.frame import TIME, Block, value_type
from service.frames.label_combinations import combine, rows_by_code, texts_of

MOST_SERIES = 1_000
MOST_CELLS = 1_000_000
"""Rows times columns: about 100 MB while the table is made."""
MOST_TEXT_BYTES = 32 * 1024 * 1024
_ADVICE = (
    "Filter with field= or tag.KEY=, use a longer every or a shorter range, or shape=long, which has no such limit."
)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """A whole table. `rows` ascend by time."""

    columns: tuple[Column, ...]
    rows: Rows


@dataclass(frozen=True)
class _Part:
    """Values of one type: `values[i]` belongs to the series numbered `series[i]`."""

    times_ns: Ints
    series: Ints
    values: pa.Array


@dataclass
class _Collected:
    """What of a read is there so far."""

    numbers: dict[TableSeries, int] = field(default_factory=dict)
    parts: dict[FieldType, list[_Part]] = field(default_factory=dict)
    values: int = 0
    text_bytes: int = 0

    def add(self, frame: pa.RecordBatch) -> None:
        """Raises TableTooLarge."""
        kind, values = value_type(frame), long_form.values(frame)
        part = _Part(long_form.times_ns(frame).copy(), self._series(frame, kind), pa.concat_arrays([values]))
        self.parts.setdefault(kind, []).append(part)
        self.values += len(values)
        self.text_bytes += values.nbytes if kind is FieldType.STRING else 0
        _bound(self.values, MOST_CELLS, "values")
        _bound(self.text_bytes, MOST_TEXT_BYTES, "bytes of text")

    def _series(self, frame: pa.RecordBatch, kind: FieldType) -> Ints:
        """The number of each row's series."""
        combinations = combine(long_form.labels(frame))
        _bound(max(map(len, combinations.codes)), MOST_SERIES, "columns, one for each series")
        keys = long_form.tag_keys(frame)
        numbers = []
        for name, measurement, *tags in zip(*texts_of(long_form.labels(frame), combinations), strict=True):
            held = tuple((key, text) for key, text in zip(keys, tags, strict=True) if text is not None)
            key = TableSeries(str(measurement), str(name), held, kind)
            numbers.append(self.numbers.setdefault(key, len(self.numbers)))
        _bound(len(self.numbers), MOST_SERIES, "columns, one for each series")
        return np.array(numbers, np.int64)[combinations.rows(frame.num_rows)]


def table_of(blocks: Iterable[Block]) -> Table:
    """The table of all `blocks`. Raises TableTooLarge, and what `blocks` raises."""
    collected = _Collected()
    for block in blocks:
        for frame in block:
            if frame.num_rows:
                collected.add(frame)
    series = sorted(collected.numbers)
    columns = table_columns(series)
    times = [part.times_ns for parts in collected.parts.values() for part in parts]
    times_ns = np.unique(np.concatenate(times)) if times else np.zeros(0, np.int64)
    _bound(len(times_ns) * len(series), MOST_CELLS, f"cells ({len(times_ns)} rows of {len(series)} columns)")
    names = {collected.numbers[key]: column.name for key, column in zip(series, columns[1:], strict=True)}
    values: dict[str, pa.Array] = {}
    for parts in collected.parts.values():
        values |= {names[number]: array for number, array in _arrays(parts, times_ns)}
    return Table(columns, Rows(pa.array(times_ns).view(TIME), {}, values))


def _arrays(parts: Sequence[_Part], times_ns: Ints) -> Iterable[tuple[int, pa.Array]]:
    """The number of each series in `parts`, and its column: null at times at which it has no value."""
    series = np.concatenate([part.series for part in parts])
    rows = np.searchsorted(times_ns, np.concatenate([part.times_ns for part in parts]))
    values = pa.concat_arrays([part.values for part in parts])
    for places in rows_by_code(series):
        source = np.full(len(times_ns), -1, np.int64)
        source[rows[places]] = places
        yield int(series[places[0]]), values.take(pa.array(source, mask=source < 0))


def _bound(size: int, most: int, what: str) -> None:
    if size > most:
        raise TableTooLarge(f"With shape=table the answer would have more than {most} {what}. {_ADVICE}")
