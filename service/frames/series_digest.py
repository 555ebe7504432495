"""Digests of frames: per series the count, and a checksum of the exact values that knows no order.

Equal digests mean equal data: the checksum covers measurement, tags, field, type, time and the bits
of the value (-0.0 differs from 0.0, 7 from 7.0, "" from nothing). Two sides that send the same
points in other blocks and orders have the same digest, and digests of parts add up to that of the
whole, so each side is digested as it streams, in the memory of one frame.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.series import FieldSeries, SeriesKey
from service.frames import long_form
from service.frames.frame import value_type
from service.frames.hashes import LANES, Lanes, Words, added, point_hashes, stamp_hashes, value_words
from service.frames.label_codes import combine, texts_of


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

    series: dict[FieldSeries, SeriesDigest] = field(default_factory=dict)

    def add(self, frame: pa.RecordBatch) -> None:
        """Take a long frame (see `service.frames.frame`)."""
        if frame.num_rows == 0:
            return
        names, of_row = series_of(frame)
        times = long_form.times_ns(frame).view(np.uint64)
        values = value_words(long_form.values(frame))
        for place, digest in enumerate(_sums(times, values, of_row, len(names))):
            if digest.count:
                self.series[names[place]] = self.series.get(names[place], SeriesDigest()) + digest


def series_of(frame: pa.RecordBatch) -> tuple[list[FieldSeries], npt.NDArray[np.int64]]:
    """The series of a long frame, and for each row which of them it is of."""
    labels = long_form.labels(frame)
    found = combine(labels)
    keys = long_form.tag_keys(frame)
    kind = value_type(frame)
    fields, measurements, *tags = texts_of(labels, found)
    names = [
        FieldSeries(
            SeriesKey(
                str(measurements[place]),
                tuple((key, text) for key, tag in zip(keys, tags, strict=True) if (text := tag[place]) is not None),
            ),
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
