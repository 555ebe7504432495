"""The points of planned slices, out of the files of a backup."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from service.archive.destination import Destination
from service.archive.encryption import Decrypter
from service.archive.point_frames import frames_of
from service.archive.slice_files import read_points
from service.archive.slice_text import SliceMeter
from service.domain.series import FieldSeries
from service.domain.timerange import TimeRange
from service.frames.points import Points
from service.frames.series_digest import SeriesDigest, SeriesDigester
from service.frames.slice_digest import SliceDigest
from service.jobs.restore.plan import PlannedSlice
from service.lineprotocol.parser import parse_lines


@dataclass(frozen=True)
class SliceSource:
    """Every method raises BackupDamaged, ArchiveError. Threads may share it."""

    destination: Destination
    decrypter: Decrypter | None = field(default=None, repr=False)

    def points(self, planned: PlannedSlice) -> Iterator[Points]:
        """Those that are restored, in batches, none of which is empty."""
        for points in read_points(self.destination, planned.entry, self.decrypter):
            wanted = points if planned.is_whole else points_within(points, planned.span)
            if len(wanted):
                yield wanted

    def digest(self, planned: PlannedSlice) -> SliceDigest:
        """Of the points that are restored. The file is read only where those are not all of it."""
        if planned.is_whole:
            return planned.entry.digest
        meter = SliceMeter()
        for points in self.points(planned):
            meter.add(frames_of(points))
        return meter.total

    def series_digests(self, planned: PlannedSlice) -> dict[FieldSeries, SeriesDigest]:
        digester = SeriesDigester()
        for points in self.points(planned):
            for frame in frames_of(points):
                digester.add(frame)
        return digester.series


def points_within(points: Points, span: TimeRange) -> Points:
    """Those with a time in `span`."""
    is_inside = (points.times_ns >= span.start_ns) & (points.times_ns < span.stop_ns)
    lines = np.flatnonzero(is_inside)
    offsets = points.offsets
    text = b"".join(points.text[offsets[line] : offsets[line + 1]] for line in lines.tolist())
    return parse_lines(text, "ns", 0).points
