"""Which values of a block stand side by side: those of one series (measurement and tags) and time make a row.

A block holds complete rows (service.frames.frame), so nothing is carried from one to the next. Frames
that share their times and tags, as those of one query do, are put side by side; others are sorted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.schema import FieldType
from service.domain.series import SeriesKey
from service.frames import long_form
from service.frames.frame import Block, value_type
from service.frames.label_codes import Codes, combine, compact, groups, same_codes

Ints = npt.NDArray[np.int64]
_Sets = list[list[pa.RecordBatch]]


@dataclass(frozen=True)
class Piece:
    """Values that are of one field and type: `values[i]` stands in row `rows[i]`."""

    field: str
    type: FieldType
    rows: Ints
    values: pa.Array


@dataclass(frozen=True)
class Aligned:
    """Rows of one measurement, each by series in the order of appearance, then by time.

    `times_ns[i]` and `series[i]` are those of row i. `tags` holds for each key the value of each series,
    null where it is absent. A field has several pieces when several frames, or types, hold it.
    """

    measurement: str
    times_ns: Ints
    series: Ints
    tags: dict[str, pa.StringArray]
    pieces: tuple[Piece, ...]

    @property
    def series_count(self) -> int:
        return max(map(len, self.tags.values()), default=1)

    def series_keys(self, numbers: slice = slice(None)) -> list[SeriesKey]:
        """The key of each series with one of these numbers."""
        keys = sorted(self.tags)
        if not keys:
            return [SeriesKey(self.measurement)] * len(range(1)[numbers])
        return [
            SeriesKey(self.measurement, tuple((key, text) for key, text in zip(keys, texts, strict=True) if text is not None))
            for texts in zip(*(self.tags[key][numbers].to_pylist() for key in keys), strict=True)
        ]


def aligned(block: Block) -> Iterator[Aligned]:
    """The rows of `block`, a measurement at a time."""
    by_measurement: dict[str, list[pa.RecordBatch]] = {}
    for frame in block:
        if frame.num_rows:
            by_measurement.setdefault(long_form.measurement(frame), []).append(frame)
    for measurement, frames in by_measurement.items():
        yield _rows(measurement, frames)


def _rows(measurement: str, frames: list[pa.RecordBatch]) -> Aligned:
    sets: dict[tuple[object, ...], list[pa.RecordBatch]] = {}
    for frame in frames:
        sets.setdefault(_row_identity(frame), []).append(frame)
    firsts = [some[0] for some in sets.values()]
    series, tags = _series(firsts)
    times = np.concatenate([long_form.times_ns(frame) for frame in firsts])
    place, distinct = _places(series, times)
    return Aligned(measurement, times[distinct], series[distinct], tags, tuple(_pieces(list(sets.values()), place)))


def _pieces(sets: _Sets, place: Ints) -> Iterator[Piece]:
    start = 0
    for frames in sets:
        stop = start + frames[0].num_rows
        for frame in frames:
            yield from _by_field(frame, place[start:stop])
        start = stop


def _row_identity(frame: pa.RecordBatch) -> tuple[object, ...]:
    times = long_form.times(frame)
    named = zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True)
    tags = tuple((name, same_codes(column), _identity(column.dictionary)) for name, column in named)
    several_fields = id(frame) if len(pc.unique(long_form.fields(frame).indices)) > 1 else 0
    return (times.buffers()[1].address, times.offset, len(times), tags, several_fields)


def _identity(texts: pa.Array) -> tuple[int, ...]:
    return (texts.offset, len(texts), *(buffer.address if buffer else 0 for buffer in texts.buffers()))


def _series(frames: list[pa.RecordBatch]) -> tuple[Ints, dict[str, pa.StringArray]]:
    """The series of each row of all frames, numbered by appearance, and the tag values of each series."""
    keys = sorted({key for frame in frames for key in long_form.tag_keys(frame)})
    of_row, tables, known = [], [], 0
    for frame in frames:
        tags = dict(zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True))
        found = combine(list(tags.values()))
        size = max((len(codes) for codes in found.codes), default=1)
        values = {
            key: column.dictionary.take(pa.array(np.broadcast_to(codes, size), mask=np.broadcast_to(codes < 0, size)))
            for (key, column), codes in zip(tags.items(), found.codes, strict=True)
        }
        tables.append(pa.table({key: values.get(key, pa.nulls(size, pa.string())) for key in keys}) if keys else None)
        of_row.append(found.rows(frame.num_rows) + known)
        known += size
    rows = np.concatenate(of_row)
    if not keys:
        return np.zeros(len(rows), np.int64), {}
    table = pa.concat_tables(tables).combine_chunks()
    number, firsts = _numbered([table.column(key).combine_chunks() for key in keys])
    order, appearance = _by_appearance(number[rows], len(firsts))
    return appearance, {key: table.column(key).take(pa.array(firsts[order])).combine_chunks() for key in keys}


def _numbered(texts: list[pa.Array]) -> tuple[Ints, Ints]:
    """A number for each distinct tuple of texts, and where each number stands first."""
    number: Codes = np.zeros(len(texts[0]), np.int64)
    size = 1
    for column in texts:
        encoded = column.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        distinct, number = compact(number * (len(encoded.dictionary) + 1) + codes, size * (len(encoded.dictionary) + 1))
        size = len(distinct)
    firsts = np.zeros(size, np.int64)
    firsts[number[::-1]] = np.arange(len(number))[::-1]
    return number, firsts


def _by_appearance(series: Ints, size: int) -> tuple[Ints, Ints]:
    """Numbers in the order of first appearance, and `series` renumbered by it."""
    seen = np.full(size, len(series), np.int64)
    seen[series[::-1]] = np.arange(len(series))[::-1]
    order = np.argsort(seen, kind="stable")
    order = order[seen[order] < len(series)]
    rank = np.zeros(size, np.int64)
    rank[order] = np.arange(len(order))
    return order, rank[series]


def _places(series: Ints, times: Ints) -> tuple[Ints, Ints]:
    """The wide row of each long one, and for each wide row one long row of it; sorted by series, then time."""
    ascending = (series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (times[1:] > times[:-1]))
    if ascending.all():
        every = np.arange(len(times))
        return every, every
    order = np.lexsort((times, series))
    series, times = series[order], times[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (series[1:] != series[:-1]) | (times[1:] != times[:-1])
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(new) - 1
    return place, order[new]


def _by_field(frame: pa.RecordBatch, rows: Ints) -> Iterator[Piece]:
    """The frame's values, field by field; `rows` are the places of its rows."""
    fields, kind, values = long_form.fields(frame), value_type(frame), long_form.values(frame)
    codes = fields.indices.to_numpy()
    if (codes == codes[0]).all():
        yield Piece(fields[0].as_py(), kind, rows, values)
        return
    for chosen in groups(codes):
        yield Piece(fields[int(chosen[0])].as_py(), kind, rows[chosen], values.take(pa.array(chosen)))
