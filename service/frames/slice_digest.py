"""Digests of slices: how many points each piece of time holds, of which series, and with which values.

Three sums for each slice, none of which knows an order: the count; for each point the hash of its series; for each
point the hash of its series, type, time and the bits of its value. The first two come from counts alone,
so two stores are compared without reading their points; with the third they are proven equal. Digests of parts
add up to that of the whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.frames import long_form
from service.frames.hashes import LANES, MASK, Lanes, Words, added, mix, point_hashes, stamp_hashes, text_hash, value_words
from service.frames.label_codes import combine, is_constant, same_codes

Ints = npt.NDArray[np.int64]
K = TypeVar("K")
V = TypeVar("V")
_FIELD, _MEASUREMENT = "\0field", "\0measurement"
"""Keys of the labels that are no tags. No tag key holds a NUL."""
_Labels = dict[str, pa.DictionaryArray]
"""Label columns by tag key, `_FIELD` or `_MEASUREMENT`."""


@dataclass(frozen=True)
class SliceDigest:
    """Of one slice, or of several together. `series` and `values` hold two lanes each, modulo 2^64."""

    count: int = 0
    series: Lanes = (0, 0)
    values: Lanes = (0, 0)

    def __add__(self, other: "SliceDigest") -> "SliceDigest":
        return SliceDigest(self.count + other.count, added(self.series, other.series), added(self.values, other.values))

    @property
    def counts(self) -> str:
        """The same text when each series has as many points."""
        return f"{self.count}:{self.series[0]:016x}{self.series[1]:016x}"

    @classmethod
    def of_counts(cls, text: str) -> "SliceDigest":
        """What `counts` says, without `values`."""
        count, _, lanes = text.partition(":")
        return cls(int(count), (int(lanes[:16], 16), int(lanes[16:], 16)))

    @property
    def checksum(self) -> str:
        """The same text, together with `counts`, when the points are the same to the bit."""
        return f"{self.values[0]:016x}{self.values[1]:016x}"


class SliceDigester:
    """Takes long frames in any order. Slices are `step_ns` long, on the grid from 1970; `slices` names each by its start.

    `stamped_at_stop`: a row's time is the stop of its window, so a row on an edge belongs to the slice before.
    """

    def __init__(self, step_ns: int, stamped_at_stop: bool = False) -> None:
        self._step_ns = step_ns
        self._shift_ns = 1 if stamped_at_stop else 0
        self._seen: tuple[object, pa.RecordBatch, _Rows] | None = None
        self.slices: dict[int, SliceDigest] = {}

    def add(self, frame: pa.RecordBatch) -> None:
        """Take points."""
        if not frame.num_rows:
            return
        rows, names = self._named(frame)
        values, kind = value_words(long_form.values(frame)), str(long_form.values(frame).type)
        series, sums = [], []
        for lane, hashes in enumerate(names):
            series.append(hashes[rows.of_row])
            typed = mix(hashes ^ np.uint64(text_hash(kind)[lane]))[rows.of_row]
            sums.append(mix(point_hashes(rows.stamps[lane], values, LANES[lane]) + typed))
        self._take(rows, rows.sizes, [np.add.reduceat(column, rows.edges) for column in (*series, *sums)])

    def add_counts(self, frame: pa.RecordBatch) -> None:
        """Take windows' counts: as if their points had been taken, but for `values`."""
        if not frame.num_rows:
            return
        rows, names = self._named(frame)
        counts = long_form.values(frame).cast(pa.int64()).to_numpy()
        series = [np.add.reduceat(hashes[rows.of_row] * counts.view(np.uint64), rows.edges) for hashes in names]
        nothing = np.zeros(len(rows.edges), np.uint64)
        self._take(rows, np.add.reduceat(counts, rows.edges), [*series, nothing, nothing])

    def _named(self, frame: pa.RecordBatch) -> tuple["_Rows", list[Words]]:
        """The rows of a frame, and for each of their combinations the hash of its series in each lane.

        Absent tags count for nothing, and the order of tags does not matter.
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
        """Sums of each run."""
        columns = [_by_place(column, rows.of_run, len(rows.places)) for column in (counts, *lanes)]
        for place, count, *sums in zip(rows.places, *columns, strict=True):
            digest = SliceDigest(count, (sums[0], sums[1]), (sums[2], sums[3]))
            start_ns = place * self._step_ns
            self.slices[start_ns] = self.slices[start_ns] + digest if start_ns in self.slices else digest


@dataclass(frozen=True)
class _Rows:
    """What of rows does not depend on their values, nor on their field where all have the same.

    `of_row` gives each row its combination of labels, `labels` the hash of each in both lanes, `stamps` that of each row's time. Rows of
    one slice that follow each other are a run: `edges` are where runs begin, `of_run` is the place of each one's slice among `places`.
    """

    of_row: Ints
    labels: list[Words]
    stamps: list[Words]
    edges: Ints
    sizes: Ints
    of_run: Ints
    places: list[int]

    @classmethod
    def of(cls, frame: pa.RecordBatch, labels: _Labels, step_ns: int, shift_ns: int) -> "_Rows":
        times_ns = long_form.times_ns(frame)
        combinations = combine(list(labels.values()))
        hashes = np.zeros((2, max(map(len, combinations.codes))), np.uint64)
        for (key, column), codes in zip(labels.items(), combinations.codes, strict=True):
            hashes += _text_hashes(key, [*column.dictionary.to_pylist(), None])[codes].T  # the code -1 takes the None
        starts: Ints = (times_ns - shift_ns) // step_ns
        edges = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(starts)) + 1])
        places, of_run = np.unique(starts[edges], return_inverse=True)
        time_words = times_ns.view(np.uint64)
        stamps = [stamp_hashes(time_words, lane) for lane in LANES]
        sizes = np.diff(edges, append=len(times_ns))
        return cls(combinations.rows(len(times_ns)), list(hashes), stamps, edges, sizes, of_run, places.tolist())


def _labels(frame: pa.RecordBatch, with_field: bool) -> _Labels:
    """What names the series of a frame: its measurement and tags, and its fields where it has several."""
    fields = {_FIELD: long_form.fields(frame)} if with_field else {}
    tags = zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True)
    return {**fields, _MEASUREMENT: long_form.measurements(frame), **dict(tags)}


def _identity(column: pa.DictionaryArray) -> tuple[object, ...]:
    """Columns that have it equal hold the same: the one text there is, or where codes and texts lie."""
    texts = column.dictionary
    if is_constant(column):
        return (texts[0].as_py(),)
    return (*same_codes(column), texts.offset, len(texts), *(0 if buffer is None else buffer.address for buffer in texts.buffers()))


def _text_hashes(key: str, texts: Sequence[str | None]) -> Words:
    """For each text a hash of it and its key in both lanes; nothing for an absent one."""
    keyed = np.array([lane * 3 & MASK for lane in text_hash(key)], np.uint64)
    hashes = mix(np.array([(0, 0) if text is None else text_hash(text) for text in texts], np.uint64).reshape(-1, 2) + keyed)
    hashes[[text is None for text in texts]] = 0
    return hashes


def _by_place(runs: "npt.NDArray[Any]", of_run: Ints, size: int) -> list[int]:
    """One sum for each place out of those of its runs."""
    total = np.zeros(size, runs.dtype)
    np.add.at(total, of_run, runs)
    found: list[int] = total.tolist()
    return found


def summed(pieces: Iterable[Mapping[K, V]]) -> dict[K, V]:
    """Of a whole what was found of its pieces; a key may lie in several. Values are what `+` joins: digests, or lists."""
    total: dict[K, V] = {}
    for piece in pieces:
        for key, value in piece.items():
            total[key] = add(total[key], value) if key in total else value
    return total


def differing(left: Mapping[int, SliceDigest], right: Mapping[int, SliceDigest]) -> Iterator[int]:
    """Starts of the slices whose digests differ, ascending."""
    for start_ns in sorted({*left, *right}):
        if left.get(start_ns, SliceDigest()) != right.get(start_ns, SliceDigest()):
            yield start_ns
