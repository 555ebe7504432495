"""Incremental backups: the sealed slices of the one before, and how a slice is taken over without writing it again."""

from dataclasses import replace

from service.archive.destination import Destination
from service.archive.manifest import Manifest, SliceFile
from service.domain.timerange import TimeRange, subtract


def sealed_slices(previous: Manifest, bucket: str, span: TimeRange) -> tuple[SliceFile, ...]:
    """The slices of a sealed range of `previous`; none when `span` is not wholly sealed.

    Later runs do not read their files again.
    """
    for candidate in previous.buckets:
        if candidate.metadata.name == bucket and not subtract(span, candidate.sealed):
            return tuple(entry for entry in candidate.slices if entry.span.intersect(span) == entry.span)
    return ()


def taken_over(destination: Destination, entry: SliceFile, backup: str, file: str) -> SliceFile:
    """`entry` for the manifest of `backup`: as a file of its own where the place has links, else as a reference.

    Raises ArchiveFileMissing when the file is gone, ArchiveFileExists when `file` is there already, ArchiveError.
    """
    if destination.link(entry.path, f"{backup}/{file}"):
        return replace(entry, backup=backup, file=file)
    return entry
