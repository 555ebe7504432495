"""A manifest as a JSON document, and back: every member by name, nothing optional, nothing left over.

Version 1. A change that an older reader would misunderstand gets a new version, which that reader refuses.
"""

import re
from dataclasses import replace
from typing import Any, TypeVar

from service.archive.compression import Packing
from service.archive.json_members import Members, WrongMember
from service.archive.manifest import (
    FORMAT_VERSION,
    BackupKind,
    BackupState,
    BucketBackup,
    BucketMetadata,
    Manifest,
    Missing,
    NotCovered,
    OtherFile,
    SliceFile,
)
from service.domain.bucket_details import DbrpMapping, Label
from service.domain.timerange import TimeRange
from service.frames.slice_digest import SliceDigest

E = TypeVar("E", BackupKind, BackupState, Packing)
Document = dict[str, Any]
_COUNTS = re.compile(r"[0-9]{1,19}:[0-9a-f]{32}")
_CHECKSUM = re.compile(r"[0-9a-f]{32}")


def document_of(manifest: Manifest) -> Document:
    """What `manifest_of` reads back."""
    return {
        "format_version": FORMAT_VERSION,
        "id": manifest.backup_id,
        "kind": manifest.kind.value,
        "state": manifest.state.value,
        "tool_version": manifest.tool_version,
        "server": manifest.server,
        "created_ns": manifest.created_ns,
        "finished_ns": manifest.finished_ns,
        "comment": manifest.comment,
        "recipients": list(manifest.recipients),
        "buckets": [_bucket_document(bucket) for bucket in manifest.buckets],
        "files": [_file_document(file) for file in manifest.files],
        "missing": [_missing_document(part) for part in manifest.missing],
        "not_covered": [_not_covered_document(part) for part in manifest.not_covered],
    }


def manifest_of(document: object) -> Manifest:
    """Raises WrongMember, or ValueError for what contradicts itself, with the reason as the end of a sentence."""
    with Members(document, "manifest") as members:
        version = members.number("format_version")
        if version != FORMAT_VERSION:
            raise WrongMember(f"its format_version is {version}, and this Fluxgate reads {FORMAT_VERSION} alone")
        return Manifest(
            backup_id=members.text("id"),
            kind=_member_of(BackupKind, members.text("kind"), "manifest.kind"),
            state=_member_of(BackupState, members.text("state"), "manifest.state"),
            tool_version=members.text("tool_version"),
            server=members.text("server"),
            created_ns=members.number("created_ns"),
            finished_ns=members.number("finished_ns"),
            comment=members.text("comment"),
            recipients=members.texts("recipients"),
            buckets=members.items("buckets", _bucket),
            files=members.items("files", _file),
            missing=members.items("missing", _missing),
            not_covered=members.items("not_covered", _not_covered),
        )


def _span_document(span: TimeRange) -> Document:
    return {"start_ns": span.start_ns, "stop_ns": span.stop_ns}


def _bucket_document(bucket: BucketBackup) -> Document:
    metadata = bucket.metadata
    return {
        "name": metadata.name,
        "description": metadata.description,
        "retention_ns": metadata.retention_ns,
        "shard_ns": metadata.shard_ns,
        "labels": [{"name": label.name, "properties": dict(label.properties)} for label in metadata.labels],
        "mappings": [
            {
                "database": mapping.database,
                "retention_policy": mapping.retention_policy,
                "default": mapping.default,
            }
            for mapping in metadata.mappings
        ],
        "range": _span_document(bucket.span),
        "sealed": [_span_document(span) for span in bucket.sealed],
        "slices": [slice_document(entry) for entry in bucket.slices],
    }


def _bucket(value: object, place: str) -> BucketBackup:
    with Members(value, place) as members:
        metadata = BucketMetadata(
            name=members.text("name"),
            description=members.text("description"),
            retention_ns=members.number("retention_ns", 0),
            shard_ns=members.number("shard_ns", 1),
            labels=members.items("labels", _label),
            mappings=members.items("mappings", _mapping),
        )
        slices, sealed = members.items("slices", slice_of), members.spans("sealed")
        return BucketBackup(metadata, members.span("range"), slices, sealed)


def _label(value: object, place: str) -> Label:
    with Members(value, place) as members:
        return Label(members.text("name"), members.text_pairs("properties"))


def _mapping(value: object, place: str) -> DbrpMapping:
    with Members(value, place) as members:
        return DbrpMapping(members.text("database"), members.text("retention_policy"), members.flag("default"))


def slice_document(entry: SliceFile) -> Document:
    """What `slice_of` reads back; also for the checkpoint of a job that goes on after a kill."""
    return {
        "range": _span_document(entry.span),
        "file": entry.file,
        "backup": entry.backup,
        "packing": entry.packing.value,
        "encrypted": entry.encrypted,
        "size": entry.size,
        "sha256": entry.sha256,
        "text_bytes": entry.text_bytes,
        "points": entry.points,
        "first_ns": entry.first_ns,
        "last_ns": entry.last_ns,
        "counts": entry.digest.counts,
        "checksum": entry.digest.checksum,
    }


def slice_of(value: object, place: str) -> SliceFile:
    """Raises as `manifest_of`. `place` names the document in what it raises."""
    with Members(value, place) as members:
        return SliceFile(
            span=members.span("range"),
            file=members.text("file"),
            backup=members.text("backup"),
            packing=_member_of(Packing, members.text("packing"), f"{place}.packing"),
            encrypted=members.flag("encrypted"),
            size=members.number("size", 0),
            sha256=members.text("sha256"),
            text_bytes=members.number("text_bytes", 0),
            points=members.number("points", 1),
            first_ns=members.number("first_ns"),
            last_ns=members.number("last_ns"),
            digest=_digest(members.text("counts"), members.text("checksum"), place),
        )


def _digest(counts: str, checksum: str, place: str) -> SliceDigest:
    if not _COUNTS.fullmatch(counts) or not _CHECKSUM.fullmatch(checksum):
        raise WrongMember(f"{place} has no digest in counts and checksum")
    return replace(SliceDigest.of_counts(counts), values=(int(checksum[:16], 16), int(checksum[16:], 16)))


def _file_document(file: OtherFile) -> Document:
    return {"file": file.file, "backup": file.backup, "size": file.size, "sha256": file.sha256}


def _file(value: object, place: str) -> OtherFile:
    with Members(value, place) as members:
        file, backup = members.text("file"), members.text("backup")
        return OtherFile(file, backup, members.number("size", 0), members.text("sha256"))


def _missing_document(part: Missing) -> Document:
    span = None if part.span is None else _span_document(part.span)
    return {"bucket": part.bucket, "range": span, "reason": part.reason}


def _missing(value: object, place: str) -> Missing:
    with Members(value, place) as members:
        return Missing(members.text("bucket"), members.optional_span("range"), members.text("reason"))


def _not_covered_document(part: NotCovered) -> Document:
    return {"what": part.what, "names": list(part.names), "reason": part.reason}


def _not_covered(value: object, place: str) -> NotCovered:
    with Members(value, place) as members:
        return NotCovered(members.text("what"), members.texts("names"), members.text("reason"))


def _member_of(kind: type[E], text: str, place: str) -> E:
    try:
        return kind(text)
    except ValueError:
        raise WrongMember(f"{place} is {text[:100]!r}, and none of {', '.join(kind)}") from None
