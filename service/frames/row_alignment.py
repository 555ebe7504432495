"""Aligns the values of a block to rows: the values of one series (measurement and tags) and time are one row.

A block holds complete rows (service.frames.frame), so blocks are aligned one by one. The frames of one query share
their times and tags and are aligned without sorting; others are sorted.
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
from service.frames.label_combinations import Codes, codes_address, combine, compact, rows_by_code

Ints = npt.NDArray[np.int64]
_FrameSets = list[list[pa.RecordBatch]]
"""Frames that share the same rows, set by set."""


@dataclass(frozen=True)
class FieldValues:
    """Values of one field and type: `values[i]` belongs to row `rows[i]`."""

    field: str
    type: FieldType
    rows: Ints
    values: pa.Array


@dataclass(frozen=True)
class AlignedRows:
    """Rows of one measurement, ordered by series (in the order of appearance), then by time.

    `times_ns[i]` is the time of row i, `series[i]` the number of its series. `tags` holds, for each key, the value of
    each series, null where it is absent. A field occurs several times in `field_values` when several frames hold it,
    or when it has several types.
    """

    measurement: str
    times_ns: Ints
    series: Ints
    tags: dict[str, pa.StringArray]
    field_values: tuple[FieldValues, ...]

    @property
    def series_count(self) -> int:
        return max(map(len, self.tags.values()), default=1)

    def series_keys(self, numbers: slice = slice(None)) -> list[SeriesKey]:
        """The key of each series with one of these numbers."""
        keys = sorted(self.tags)
        if not keys:
            return [SeriesKey(self.measurement)] * len(range(1)[numbers])
        return [
            SeriesKey(self.measurement, tuple(tag for tag in zip(keys, texts, strict=True) if tag[1] is not None))
            for texts in zip(*(self.tags[key][numbers].to_pylist() for key in keys), strict=True)
        ]


def align_rows(block: Block) -> Iterator[AlignedRows]:
    """The rows of `block`, one measurement after the other."""
    by_measurement: dict[str, list[pa.RecordBatch]] = {}
    for frame in block:
        if frame.num_rows:
            by_measurement.setdefault(long_form.measurement(frame), []).append(frame)
    for measurement, frames in by_measurement.items():
        yield _rows(measurement, frames)


def _rows(measurement: str, frames: list[pa.RecordBatch]) -> AlignedRows:
    sets: dict[tuple[object, ...], list[pa.RecordBatch]] = {}
    for frame in frames:
        sets.setdefault(_row_identity(frame), []).append(frame)
    first_frames = [frames_of_set[0] for frames_of_set in sets.values()]
    series, tags = _series(first_frames)
    times = np.concatenate([long_form.times_ns(frame) for frame in first_frames])
    wide_rows, distinct = _wide_rows(series, times)
    field_values = tuple(_field_values(list(sets.values()), wide_rows))
    return AlignedRows(measurement, times[distinct], series[distinct], tags, field_values)


def _field_values(sets: _FrameSets, wide_rows: Ints) -> Iterator[FieldValues]:
    start = 0
    for frames in sets:
        stop = start + frames[0].num_rows
        for frame in frames:
            yield from _by_field(frame, wide_rows[start:stop])
        start = stop


def _row_identity(frame: pa.RecordBatch) -> tuple[object, ...]:
    """Equal for frames that share the memory of their times and tags. A frame of several fields equals no other."""
    times = long_form.times(frame)
    columns = zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True)
    tags = tuple((key, codes_address(column), _identity(column.dictionary)) for key, column in columns)
    several_fields = id(frame) if len(pc.unique(long_form.fields(frame).indices)) > 1 else 0
    return (times.buffers()[1].address, times.offset, len(times), tags, several_fields)


def _identity(texts: pa.Array) -> tuple[int, ...]:
    return (texts.offset, len(texts), *(buffer.address if buffer else 0 for buffer in texts.buffers()))


def _series(frames: list[pa.RecordBatch]) -> tuple[Ints, dict[str, pa.StringArray]]:
    """The series of each row of all frames, numbered by appearance, and the tag values of each series."""
    keys = sorted({key for frame in frames for key in long_form.tag_keys(frame)})
    of_row, tables, series_count = [], [], 0
    for frame in frames:
        tags = dict(zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True))
        combinations = combine(list(tags.values()))
        size = max((len(codes) for codes in combinations.codes), default=1)
        values = {
            key: column.dictionary.take(pa.array(np.broadcast_to(codes, size), mask=np.broadcast_to(codes < 0, size)))
            for (key, column), codes in zip(tags.items(), combinations.codes, strict=True)
        }
        tables.append(pa.table({key: values.get(key, pa.nulls(size, pa.string())) for key in keys}) if keys else None)
        of_row.append(combinations.rows(frame.num_rows) + series_count)
        series_count += size
    rows = np.concatenate(of_row)
    if not keys:
        return np.zeros(len(rows), np.int64), {}
    table = pa.concat_tables(tables).combine_chunks()
    numbers, firsts = _numbered([table.column(key).combine_chunks() for key in keys])
    order, appearance = _by_appearance(numbers[rows], len(firsts))
    return appearance, {key: table.column(key).take(pa.array(firsts[order])).combine_chunks() for key in keys}


def _numbered(texts: list[pa.Array]) -> tuple[Ints, Ints]:
    """A number for each distinct tuple of texts, and the first position of each number."""
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


def _wide_rows(series: Ints, times: Ints) -> tuple[Ints, Ints]:
    """The wide row of each long row, and for each wide row one of its long rows; sorted by series, then time."""
    ascending = (series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (times[1:] > times[:-1]))
    if ascending.all():
        all_rows = np.arange(len(times))
        return all_rows, all_rows
    order = np.lexsort((times, series))
    series, times = series[order], times[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (series[1:] != series[:-1]) | (times[1:] != times[:-1])
    wide_rows = np.empty(len(order), np.int64)
    wide_rows[order] = np.cumsum(new) - 1
    return wide_rows, order[new]


def _by_field(frame: pa.RecordBatch, rows: Ints) -> Iterator[FieldValues]:
    """The values of a frame, field by field. `rows` holds the wide row of each of its rows."""
    fields, field_type, values = long_form.fields(frame), value_type(frame), long_form.values(frame)
    codes = fields.indices.to_numpy()
    if (codes == codes[0]).all():
        yield FieldValues(fields[0].as_py(), field_type, rows, values)
        return
    for field_rows in rows_by_code(codes):
        field = fields[int(field_rows[0])].as_py()
        yield FieldValues(field, field_type, rows[field_rows], values.take(pa.array(field_rows)))
