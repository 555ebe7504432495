"""Digests of slices: how many points each piece of time holds, of which series, and with which values.

Three sums for each slice, none of which knows an order: the count; for each point the hash of its series; for each
point the hash of its series, type, time and the bits of its value. The first two come from counts alone,
so two stores are compared without reading their points; with the third they are proven equal. Digests of parts
add up to that of the whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import add
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.frames.frame import FIXED_COLUMNS
from service.frames.hashes import LANES, MASK, Lanes, Words, added, mix, point_hashes, text_hash, value_words, words_of
from service.frames.labels import combine

Ints = npt.NDArray[np.int64]
K = TypeVar("K")
V = TypeVar("V")


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
        self.slices: dict[int, SliceDigest] = {}

    def add(self, frame: pa.RecordBatch) -> None:
        """Take points."""
        if not frame.num_rows:
            return
        of_row, hashes = _series_hashes(frame)
        times = words_of(frame.column(0).cast(pa.int64()))
        values, kind = value_words(frame.column(1)), str(frame.schema.field(1).type)
        series, sums = [], []
        for lane, names in enumerate(hashes):
            named = names[of_row]
            typed = mix(names ^ np.uint64(text_hash(kind)[lane]))[of_row]
            series.append(named)
            sums.append(mix(point_hashes(times, values, LANES[lane]) + typed))
        self._take(frame, np.ones(frame.num_rows, np.int64), series, sums)

    def add_counts(self, frame: pa.RecordBatch) -> None:
        """Take windows' counts: as if their points had been taken, but for `values`."""
        if not frame.num_rows:
            return
        of_row, hashes = _series_hashes(frame)
        counts = frame.column(1).cast(pa.int64()).to_numpy()
        series = [names[of_row] * counts.view(np.uint64) for names in hashes]
        nothing = np.zeros(frame.num_rows, np.uint64)
        self._take(frame, counts, series, [nothing, nothing])

    def _take(self, frame: pa.RecordBatch, counts: Ints, series: list[Words], sums: list[Words]) -> None:
        times = frame.column(0).cast(pa.int64()).to_numpy()
        starts: Ints = (times - self._shift_ns) // self._step_ns
        edges = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(starts)) + 1])
        places, of_run = np.unique(starts[edges], return_inverse=True)
        columns = [_by_place(np.add.reduceat(column, edges), of_run, len(places)) for column in (counts, *series, *sums)]
        for place, count, *lanes in zip(places.tolist(), *columns, strict=True):
            digest = SliceDigest(count, (lanes[0], lanes[1]), (lanes[2], lanes[3]))
            start_ns = place * self._step_ns
            self.slices[start_ns] = self.slices[start_ns] + digest if start_ns in self.slices else digest


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


def _series_hashes(frame: pa.RecordBatch) -> tuple[Ints, tuple[Words, Words]]:
    """For each row the place of its series among those of the frame, and for each series a hash of its names in each lane.

    Absent tags count for nothing, and the order of tags does not matter.
    """
    labels = frame.columns[2:]
    found = combine(labels)
    size = max(map(len, found.codes))
    keys = ("\0field", "\0measurement", *frame.schema.names[len(FIXED_COLUMNS) :])
    summed = [np.zeros(size, np.uint64), np.zeros(size, np.uint64)]
    for key, column, own in zip(keys, labels, found.codes, strict=True):
        texts = [*column.dictionary.to_pylist(), None]  # a code of -1 names the last one; a dictionary may hold an absent tag itself
        absent = np.array([text is None for text in texts])[own]
        for lane in (0, 1):
            known = np.array([0 if text is None else text_hash(text)[lane] for text in texts], np.uint64)
            hashes = mix(known[own] + np.uint64(text_hash(key)[lane] * 3 & MASK))
            summed[lane] += np.where(absent, np.uint64(0), hashes)
    return found.rows(frame.num_rows), (mix(summed[0]), mix(summed[1]))
