"""Incremental backups: which slice of the one before holds the same points, so that it is not read or written again."""

from dataclasses import replace

from service.archive.destination import Destination
from service.archive.manifest import BucketBackup, Manifest, SliceFile
from service.domain.timerange import TimeRange, subtract
from service.frames.slice_digest import SliceDigest


def reusable(
    previous: Manifest,
    bucket: str,
    span: TimeRange,
    digest: SliceDigest,
    recipients: tuple[str, ...],
) -> SliceFile | None:
    """The slice of `previous` that holds exactly the points of `digest` in `span`, for who can decrypt the new backup.

    `recipients` of the new backup. A slice that others can decrypt, or that anybody can read, is not taken over.
    """
    if previous.recipients != recipients:
        return None
    for entry in _slices(previous, bucket):
        if entry.span == span and entry.digest == digest and entry.encrypted == bool(recipients):
            return entry
    return None


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


def _slices(manifest: Manifest, bucket: str) -> tuple[SliceFile, ...]:
    buckets: tuple[BucketBackup, ...] = manifest.buckets
    return next((candidate.slices for candidate in buckets if candidate.metadata.name == bucket), ())
