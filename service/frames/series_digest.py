"""Digests of frames: per series the count, and a checksum of the exact values that knows no order.

Equal digests mean equal data: the checksum covers measurement, tags, field, type, time and the bits
of the value (-0.0 differs from 0.0, 7 from 7.0, "" from nothing). Two sides that send the same
points in other blocks and orders have the same digest, and digests of parts add up to that of the
whole, so each side is digested as it streams, in the memory of one frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.frames.hashes import LANES, Lanes, Words, added, point_hashes, stamp_hashes, text_lanes, value_words, words_of
from service.frames.label_codes import combine, texts_of


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
    checksum: Lanes = (0, 0)

    def __add__(self, other: "SeriesDigest") -> "SeriesDigest":
        return SeriesDigest(self.count + other.count, added(self.checksum, other.checksum))


@dataclass
class Digester:
    """Takes frames in any order; `series` then holds the digest of everything taken."""

    series: dict[SeriesName, SeriesDigest] = field(default_factory=dict)

    def add(self, frame: pa.RecordBatch) -> None:
        """Take a long frame (see `service.frames.frame`)."""
        if frame.num_rows == 0:
            return
        names, of_row = series_of(frame)
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


def _bound(name: SeriesName, digest: SeriesDigest) -> Lanes:
    return text_lanes(repr((name.measurement, name.tags, name.field, name.type, digest.count, digest.checksum)))


def series_of(frame: pa.RecordBatch) -> tuple[list[SeriesName], npt.NDArray[np.int64]]:
    """The series of a long frame, and for each row which of them it is of."""
    labels = frame.columns[2:]
    found = combine(labels)
    keys = frame.schema.names[4:]
    kind = str(frame.schema.field(1).type)
    fields, measurements, *tags = texts_of(labels, found)
    names = [
        SeriesName(
            str(measurements[place]),
            tuple((key, text) for key, tag in zip(keys, tags, strict=True) if (text := tag[place]) is not None),
            str(fields[place]),
            kind,
        )
        for place in range(len(fields))
    ]
    return names, found.rows(frame.num_rows)


def _sums(times: Words, values: Words, of_row: npt.NDArray[np.int64], size: int) -> list[SeriesDigest]:
    counts = np.bincount(of_row, minlength=size)
    lanes = []
    for lane in LANES:
        summed = np.zeros(size, np.uint64)
        np.add.at(summed, of_row, point_hashes(stamp_hashes(times, lane), values, lane))
        lanes.append(summed.tolist())
    return [SeriesDigest(int(count), (first, second)) for count, first, second in zip(counts, *lanes, strict=True)]
