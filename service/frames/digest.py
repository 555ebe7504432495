"""Digests of frames: per series the count, and a checksum of the exact values that knows no order.

Equal digests mean equal data: the checksum covers measurement, tags, field, type, time and the bits
of the value (-0.0 differs from 0.0, 7 from 7.0, "" from nothing). Two sides that send the same
points in other blocks and orders have the same digest, and digests of parts add up to that of the
whole, so each side is digested as it streams, in the memory of one frame.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.frames.hashes import LANES, MASK, Words, mix, value_words, words_of
from service.frames.labels import combine


@dataclass(frozen=True)
class SeriesName:
    """A series with its type: what a digest is kept for. `tags` sorted by key, absent ones left out."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    field: str
    type: str


@dataclass(frozen=True)
class SeriesDigest:
    """How many points, and the sum of their hashes in each lane (modulo 2^64)."""

    count: int = 0
    checksum: tuple[int, int] = (0, 0)

    def __add__(self, other: "SeriesDigest") -> "SeriesDigest":
        lanes = ((left + right) & MASK for left, right in zip(self.checksum, other.checksum, strict=True))
        first, second = lanes
        return SeriesDigest(self.count + other.count, (first, second))


@dataclass
class Digester:
    """Takes frames in any order; `series` then holds the digest of everything taken."""

    series: dict[SeriesName, SeriesDigest] = field(default_factory=dict)

    def add(self, frame: pa.RecordBatch) -> None:
        """Take a long frame (see `service.frames.frame`)."""
        if frame.num_rows == 0:
            return
        names, of_row = _names(frame)
        times = words_of(frame.column(0).cast(pa.int64()))
        values = value_words(frame.column(1))
        for place, digest in enumerate(_sums(times, values, of_row, len(names))):
            if digest.count:
                self.series[names[place]] = self.series.get(names[place], SeriesDigest()) + digest

    @property
    def total(self) -> SeriesDigest:
        """One digest of all series: the sum of theirs, each bound to its name."""
        return total(self.series)


def total(series: Mapping[SeriesName, SeriesDigest]) -> SeriesDigest:
    summed = SeriesDigest()
    for name, digest in series.items():
        summed += SeriesDigest(digest.count, _bound(name, digest))
    return summed


def _bound(name: SeriesName, digest: SeriesDigest) -> tuple[int, int]:
    text = repr((name.measurement, name.tags, name.field, name.type, digest.count, digest.checksum)).encode()
    hashed = hashlib.blake2b(text, digest_size=16).digest()
    return int.from_bytes(hashed[:8], "little"), int.from_bytes(hashed[8:], "little")


def _names(frame: pa.RecordBatch) -> tuple[list[SeriesName], npt.NDArray[np.int64]]:
    """The series of a frame, and for each row which it is."""
    labels = frame.columns[2:]
    found = combine(labels)
    keys = frame.schema.names[4:]
    kind = str(frame.schema.field(1).type)
    columns: list[list[str | None]] = []
    for column, codes in zip(labels, found.codes, strict=True):
        values = column.dictionary.to_pylist()
        columns.append([None if code < 0 else values[code] for code in codes.tolist()])
    size = max(map(len, columns))
    fields, measurements, *tags = [column * size if len(column) == 1 else column for column in columns]
    names = [
        SeriesName(
            str(measurements[place]),
            tuple((key, text) for key, tag in zip(keys, tags, strict=True) if (text := tag[place]) is not None),
            str(fields[place]),
            kind,
        )
        for place in range(size)
    ]
    if found.of_row is None:
        return names, np.zeros(frame.num_rows, np.int64)
    return names, found.of_row.to_numpy().astype(np.int64)


def _sums(times: Words, values: Words, of_row: npt.NDArray[np.int64], size: int) -> list[SeriesDigest]:
    counts = np.bincount(of_row, minlength=size)
    lanes = []
    for lane in LANES:
        hashes = mix(mix(times + np.uint64(lane)) ^ (values * np.uint64(lane | 1)))
        summed = np.zeros(size, np.uint64)
        np.add.at(summed, of_row, hashes)
        lanes.append(summed.tolist())
    return [SeriesDigest(int(count), (first, second)) for count, first, second in zip(counts, *lanes, strict=True)]
