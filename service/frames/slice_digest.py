"""Digests of slices: how many points a slice holds, of which series, and with which values.

A digest has three sums, none of which depends on order: the count; for each point the hash of its series; for each
point the hash of its series, type, time and the bits of its value. The first two follow from counts, so two stores
are compared without reading their points. The third proves that the points are equal. Digests of parts add up to
the digest of the whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.frames import long_form
from service.frames.hashes import (
    LANES,
    MASK,
    Lanes,
    Words,
    add_lanes,
    mix,
    point_hashes,
    text_hash,
    time_hashes,
    value_words,
)
from service.frames.label_combinations import codes_address, combine, is_constant

Ints = npt.NDArray[np.int64]
K = TypeVar("K")
V = TypeVar("V")
_FIELD, _MEASUREMENT = "\0field", "\0measurement"
"""Keys of the labels that are no tags. No tag key holds a NUL."""
_Labels = dict[str, pa.DictionaryArray]
"""Label columns by tag key, `_FIELD` or `_MEASUREMENT`."""


@dataclass(frozen=True)
class SliceDigest:
    """The digest of one slice, or of several together. `series` and `values` have two lanes each, modulo 2^64."""

    count: int = 0
    series: Lanes = (0, 0)
    values: Lanes = (0, 0)

    def __add__(self, other: "SliceDigest") -> "SliceDigest":
        series, values = add_lanes(self.series, other.series), add_lanes(self.values, other.values)
        return SliceDigest(self.count + other.count, series, values)

    @property
    def counts(self) -> str:
        """A text that is equal when each series has equally many points."""
        return f"{self.count}:{self.series[0]:016x}{self.series[1]:016x}"

    @classmethod
    def of_counts(cls, text: str) -> "SliceDigest":
        """The digest with this text as `counts`, and without `values`."""
        count, _, lanes = text.partition(":")
        return cls(int(count), (int(lanes[:16], 16), int(lanes[16:], 16)))

    @property
    def checksum(self) -> str:
        """A text that, together with `counts`, is equal when the points are equal to the bit."""
        return f"{self.values[0]:016x}{self.values[1]:016x}"


class SliceDigester:
    """Digests long frames, given in any order. `slices` holds the digest of each slice so far, by its start.

    Slices are `step_ns` long, on the grid from 1970. With `stamped_at_stop`, the time of a row is the stop of its
    window, so a row on an edge belongs to the slice before.
    """

    def __init__(self, step_ns: int, stamped_at_stop: bool = False) -> None:
        self._step_ns = step_ns
        self._shift_ns = 1 if stamped_at_stop else 0
        self._seen: tuple[object, pa.RecordBatch, _Rows] | None = None
        self.slices: dict[int, SliceDigest] = {}

    def add(self, frame: pa.RecordBatch) -> None:
        """Add the points of a frame."""
        if not frame.num_rows:
            return
        rows, series_hashes = self._hashed(frame)
        values, arrow_type = value_words(long_form.values(frame)), str(long_form.values(frame).type)
        series, sums = [], []
        for lane, hashes in enumerate(series_hashes):
            series.append(hashes[rows.of_row])
            typed = mix(hashes ^ np.uint64(text_hash(arrow_type)[lane]))[rows.of_row]
            sums.append(mix(point_hashes(rows.time_hashes[lane], values, LANES[lane]) + typed))
        self._take(rows, rows.sizes, [np.add.reduceat(column, rows.edges) for column in (*series, *sums)])

    def add_counts(self, frame: pa.RecordBatch) -> None:
        """Add counts of windows. The result is that of `add` for their points, without `values`."""
        if not frame.num_rows:
            return
        rows, series_hashes = self._hashed(frame)
        counts = long_form.values(frame).cast(pa.int64()).to_numpy()
        series = [np.add.reduceat(hashes[rows.of_row] * counts.view(np.uint64), rows.edges) for hashes in series_hashes]
        nothing = np.zeros(len(rows.edges), np.uint64)
        self._take(rows, np.add.reduceat(counts, rows.edges), [*series, nothing, nothing])

    def _hashed(self, frame: pa.RecordBatch) -> tuple["_Rows", list[Words]]:
        """The rows of a frame, and in each lane the hash of the series of each label combination.

        Absent tags do not count, and the order of tags does not matter.
        """
        fields = long_form.fields(frame)
        has_one_field = is_constant(fields)
        rows = self._rows(frame, _labels(frame, with_field=not has_one_field))
        field_hash = _text_hashes(_FIELD, fields.dictionary.to_pylist())[0] if has_one_field else np.zeros(2, np.uint64)
        return rows, [mix(rows.labels[lane] + field_hash[lane]) for lane in (0, 1)]

    def _rows(self, frame: pa.RecordBatch, labels: _Labels) -> "_Rows":
        """The rows of a frame, kept for the next one: the frames of a block share their times and labels."""
        times = long_form.times(frame)
        columns = (_identity(column) for column in labels.values())
        identity = (frame.num_rows, times.buffers()[1].address, times.offset, tuple(labels), *columns)
        if self._seen is None or self._seen[0] != identity:
            self._seen = (identity, frame, _Rows.of(frame, labels, self._step_ns, self._shift_ns))
        return self._seen[2]

    def _take(self, rows: "_Rows", counts: Ints, lanes: list[Words]) -> None:
        """Add a count, and a sum in each lane, of each run of rows."""
        columns = [_by_slice(column, rows.slice_of_run, len(rows.slice_numbers)) for column in (counts, *lanes)]
        for number, count, *sums in zip(rows.slice_numbers, *columns, strict=True):
            digest = SliceDigest(count, (sums[0], sums[1]), (sums[2], sums[3]))
            start_ns = number * self._step_ns
            self.slices[start_ns] = self.slices[start_ns] + digest if start_ns in self.slices else digest


@dataclass(frozen=True)
class _Rows:
    """What the frames of a block share: everything but the values, and but the field where all rows have the same.

    `of_row` is the label combination of each row, `labels` the hash of each combination in both lanes, `time_hashes`
    the hash of the time of each row in both lanes. A run is consecutive rows of one slice: `edges` are the first rows
    of the runs, `sizes` their lengths, and `slice_of_run` indexes `slice_numbers`.
    """

    of_row: Ints
    labels: list[Words]
    time_hashes: list[Words]
    edges: Ints
    sizes: Ints
    slice_of_run: Ints
    slice_numbers: list[int]

    @classmethod
    def of(cls, frame: pa.RecordBatch, labels: _Labels, step_ns: int, shift_ns: int) -> "_Rows":
        times_ns = long_form.times_ns(frame)
        combinations = combine(list(labels.values()))
        hashes = np.zeros((2, max(map(len, combinations.codes))), np.uint64)
        for (key, column), codes in zip(labels.items(), combinations.codes, strict=True):
            hashes += _text_hashes(key, [*column.dictionary.to_pylist(), None])[codes].T  # the code -1 takes the None
        slice_of_row: Ints = (times_ns - shift_ns) // step_ns
        edges = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(slice_of_row)) + 1])
        numbers, of_run = np.unique(slice_of_row[edges], return_inverse=True)
        time_words, of_row = times_ns.view(np.uint64), combinations.rows(len(times_ns))
        hashed_times = [time_hashes(time_words, lane) for lane in LANES]
        sizes = np.diff(edges, append=len(times_ns))
        return cls(of_row, list(hashes), hashed_times, edges, sizes, of_run, numbers.tolist())


def _labels(frame: pa.RecordBatch, with_field: bool) -> _Labels:
    """What names the series of a frame: its measurement and tags, and its fields where it has several."""
    fields = {_FIELD: long_form.fields(frame)} if with_field else {}
    tags = zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True)
    return {**fields, _MEASUREMENT: long_form.measurements(frame), **dict(tags)}


def _identity(column: pa.DictionaryArray) -> tuple[object, ...]:
    """Equal for columns that hold the same: the only text of a column, or the memory addresses of codes and texts."""
    texts = column.dictionary
    if is_constant(column):
        return tuple(texts.to_pylist())
    addresses = (0 if buffer is None else buffer.address for buffer in texts.buffers())
    return (*codes_address(column), texts.offset, len(texts), *addresses)


def _text_hashes(key: str, texts: Sequence[str | None]) -> Words:
    """For each text a hash of it and its key, in both lanes; 0 for an absent one."""
    keyed = np.array([lane * 3 & MASK for lane in text_hash(key)], np.uint64)
    lanes = [(0, 0) if text is None else text_hash(text) for text in texts]
    hashes = mix(np.array(lanes, np.uint64).reshape(len(lanes), 2) + keyed)
    hashes[[text is None for text in texts]] = 0
    return hashes


def _by_slice(runs: "npt.NDArray[Any]", slice_of_run: Ints, slice_count: int) -> list[int]:
    """The sum of each slice out of the sums of its runs."""
    sums = np.zeros(slice_count, runs.dtype)
    np.add.at(sums, slice_of_run, runs)
    numbers: list[int] = sums.tolist()
    return numbers


def summed(pieces: Iterable[Mapping[K, V]]) -> dict[K, V]:
    """The values of all pieces by key. Where pieces share a key, their values (digests, lists) are joined by `+`."""
    total: dict[K, V] = {}
    for piece in pieces:
        for key, value in piece.items():
            total[key] = add(total[key], value) if key in total else value
    return total


def differing(left: Mapping[int, SliceDigest], right: Mapping[int, SliceDigest]) -> Iterator[int]:
    """The starts of the slices whose digests differ, ascending."""
    for start_ns in sorted({*left, *right}):
        if left.get(start_ns, SliceDigest()) != right.get(start_ns, SliceDigest()):
            yield start_ns
