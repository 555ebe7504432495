"""Digests of field series: the count of points, and a checksum of their exact values that does not depend on order.

Equal digests of one field series mean equal points: the checksum covers the time and the bits of each value (-0.0
differs from 0.0, an empty text from an absent one). Blocks may come in any order, and digests of parts add up to the
digest of the whole. So a bucket is digested while it streams, in the memory of one frame.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.series import FieldSeries
from service.frames import long_form
from service.frames.hashes import LANES, Lanes, Words, add_lanes, point_hashes, time_hashes, value_words
from service.frames.row_series import series_of


@dataclass(frozen=True)
class SeriesDigest:
    """The number of points, and the sum of their hashes in each lane (modulo 2^64)."""

    count: int = 0
    checksum: Lanes = (0, 0)

    def __add__(self, other: "SeriesDigest") -> "SeriesDigest":
        return SeriesDigest(self.count + other.count, add_lanes(self.checksum, other.checksum))


@dataclass
class SeriesDigester:
    """Digests long frames, given in any order. `series` holds the digest of each field series so far."""

    series: dict[FieldSeries, SeriesDigest] = field(default_factory=dict)

    def add(self, frame: pa.RecordBatch) -> None:
        """Add the points of a long frame (`service.frames.frame`)."""
        if frame.num_rows == 0:
            return
        series, of_row = series_of(frame)
        times = long_form.times_ns(frame).view(np.uint64)
        values = value_words(long_form.values(frame))
        for key, digest in zip(series, _digests(times, values, of_row, len(series)), strict=True):
            if digest.count:
                self.series[key] = self.series.get(key, SeriesDigest()) + digest


def _digests(times: Words, values: Words, of_row: npt.NDArray[np.int64], size: int) -> list[SeriesDigest]:
    counts = np.bincount(of_row, minlength=size)
    lanes = []
    for lane in LANES:
        sums = np.zeros(size, np.uint64)
        np.add.at(sums, of_row, point_hashes(time_hashes(times, lane), values, lane))
        lanes.append(sums.tolist())
    return [SeriesDigest(int(count), (first, second)) for count, first, second in zip(counts, *lanes, strict=True)]
