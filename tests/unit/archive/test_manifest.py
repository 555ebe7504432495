"""A manifest comes back as it was written, and whatever is not exactly one is refused with a sentence."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.archive.local_folder import LocalFolder
from service.archive.manifest import (
    BackupState,
    BucketBackup,
    Manifest,
    Missing,
    OtherFile,
    SliceFile,
)
from service.archive.manifest_document import document_of, manifest_of, slice_document, slice_of
from service.archive.manifest_file import canonical, manifest_bytes, read_manifest
from service.domain.timerange import TimeRange
from service.errors import BackupDamaged
from service.frames.slice_digest import SliceDigest
from tests.unit.archive.sample_backups import DAY_1, DAY_2, KEY, made_backup, manifests

PATH = "00000001-20260131T000000Z/manifest.json"
Document = dict[str, Any]


@settings(max_examples=100, deadline=None)
@given(manifests(), st.sampled_from([None, KEY]))
def test_any_manifest_comes_back(manifest: Manifest, key: bytes | None) -> None:
    content = manifest_bytes(manifest, key)
    assert read_manifest(content, PATH, key) == manifest
    assert manifest_bytes(read_manifest(content, PATH), key) == content


@settings(max_examples=100, deadline=None)
@given(manifests(), st.data())
def test_any_changed_byte_and_any_cut_is_noticed_without_a_key(manifest: Manifest, data: st.DataObject) -> None:
    content = bytearray(manifest_bytes(manifest))
    place = data.draw(st.integers(0, len(content) - 1))
    other = bytes([content[place] ^ data.draw(st.integers(1, 255))])
    changed = bytes(content[:place]) + other + bytes(content[place + 1 :])
    for damaged in (changed, bytes(content[:place]), bytes(content) + b"\n", bytes(content) * 2):
        with pytest.raises(BackupDamaged):
            read_manifest(damaged, PATH)


@pytest.fixture
def manifest(folder: LocalFolder) -> Manifest:
    return made_backup(folder)


def resealed(document: Document) -> bytes:
    """The bytes of a document whose author knows how checksums are made."""
    body = canonical(document)
    return canonical({**document, "seal": {"sha256": hashlib.sha256(body).hexdigest(), "hmac_sha256": ""}})


def test_a_manifest_says_what_it_should_in_plain_json(manifest: Manifest) -> None:
    document = json.loads(manifest_bytes(manifest))
    assert (document["format_version"], document["state"], document["kind"]) == (1, "complete", "logical")
    entry = document["buckets"][0]["slices"][0]
    assert entry["file"] == "0001-plant%20a%2Fb/20241004T000000Z-20241005T000000Z.lp.gz"
    assert (entry["backup"], entry["points"], entry["packing"]) == (manifest.backup_id, 100, "gzip")
    assert (entry["counts"].partition(":")[0], len(entry["checksum"])) == ("100", 32)
    [tasks] = document["not_covered"]
    assert tasks == {"what": "tasks", "names": ["downsample"], "reason": "the data alone is backed up"}


def test_a_signature_is_demanded_with_a_key_and_not_looked_at_without(manifest: Manifest) -> None:
    signed, unsigned = manifest_bytes(manifest, KEY), manifest_bytes(manifest)
    assert read_manifest(signed, PATH, KEY) == read_manifest(signed, PATH) == manifest
    other = manifest_bytes(manifest, b"another key, of somebody else")
    forged = resealed({**document_of(manifest), "comment": "forged"})
    for content in (unsigned, other, forged):
        with pytest.raises(BackupDamaged, match="HMAC is missing, or was made with another key: it may"):
            read_manifest(content, PATH, KEY)
    assert read_manifest(forged, PATH).comment == "forged"


def first_slice(document: Document) -> Document:
    entry: Document = document["buckets"][0]["slices"][0]
    return entry


def put(place: Callable[[Document], Document], name: str, value: object) -> Callable[[Document], object]:
    return lambda document: place(document).update({name: value})


def drop(place: Callable[[Document], Document], name: str) -> Callable[[Document], object]:
    return lambda document: place(document).pop(name)


def top(document: Document) -> Document:
    return document


def bucket(document: Document) -> Document:
    first: Document = document["buckets"][0]
    return first


WRONG: list[tuple[Callable[[Document], object], str]] = [
    (put(top, "format_version", 2), "its format_version is 2, and this Fluxgate reads 1"),
    (put(top, "format_version", 0), "its format_version is 0"),
    (put(top, "format_version", "1"), "manifest.format_version is no whole number"),
    (put(top, "format_version", True), "manifest.format_version is no whole number"),
    (put(top, "format_version", 1.0), "manifest.format_version is no whole number"),
    (put(top, "id", "../../etc"), "is no id of a backup"),
    (put(top, "id", 7), "manifest.id is no text"),
    (put(top, "kind", "magic"), "manifest.kind is 'magic', and none of logical, physical"),
    (put(top, "state", "failed"), "manifest.state is 'failed', and none of complete, partial"),
    (put(top, "state", "partial"), "it is partial, and names 0 missing parts"),
    (put(top, "missing", [{"bucket": "b", "range": None, "reason": "r"}]), "it is complete, and names 1 missing parts"),
    (put(top, "missing", {}), "manifest.missing is no list"),
    (put(top, "missing", [7]), r"manifest.missing\[0\] is no object"),
    (put(top, "finished_ns", 0), "finished before it was begun"),
    (put(top, "created_ns", 1e18), "manifest.created_ns is no whole number"),
    (put(top, "created_ns", 2**63), "manifest.created_ns is no whole number"),
    (put(top, "comment", None), "manifest.comment is no text"),
    (put(top, "recipients", "age1"), "manifest.recipients is no list"),
    (put(top, "recipients", [1]), r"manifest.recipients\[0\] is no text"),
    (put(top, "unknown", 1), "manifest has a member 'unknown' that is not known"),
    (put(top, "buckets", None), "manifest.buckets is no list"),
    (put(top, "files", [{}]), r"manifest.files\[0\].file is missing"),
    (drop(top, "comment"), "manifest.comment is missing"),
    (drop(top, "buckets"), "manifest.buckets is missing"),
    (drop(top, "not_covered"), "manifest.not_covered is missing"),
    (lambda document: document["buckets"].append(document["buckets"][0]), "names the bucket 'plant a/b' twice"),
    (lambda document: bucket(document)["slices"].append(first_slice(document)), "overlap, or are out of order"),
    (lambda document: bucket(document)["slices"].reverse(), "overlap, or are out of order"),
    (lambda document: document["files"].append(document["files"][0]), "names the file .*notes.txt' twice"),
    (put(bucket, "name", None), r"buckets\[0\].name is no text"),
    (put(bucket, "retention_ns", -1), r"buckets\[0\].retention_ns is no whole number from 0 up"),
    (put(bucket, "shard_ns", 0), r"buckets\[0\].shard_ns is no whole number from 1 up"),
    (put(bucket, "range", {"start_ns": 5, "stop_ns": 5}), r"buckets\[0\].range is no range of time"),
    (put(bucket, "range", {"start_ns": 0, "stop_ns": 5}), "slices or sealed ranges outside its range"),
    (put(bucket, "sealed", [{"start_ns": 0, "stop_ns": 5}]), "slices or sealed ranges outside its range"),
    (put(bucket, "sealed", [{"start_ns": 0}]), "stop_ns is missing"),
    (put(bucket, "labels", [{"name": "x", "properties": {"a": 1}}]), r"properties.a is no text"),
    (put(bucket, "labels", [{"name": "x", "properties": []}]), r"properties is no object"),
    (put(bucket, "mappings", [{"database": "d", "retention_policy": "r", "default": 1}]), "neither true nor false"),
    (put(bucket, "extra", 1), r"buckets\[0\] has a member 'extra' that is not known"),
    (put(first_slice, "file", "../../../etc/passwd"), "is no path inside a backup: a part of it begins with a dot"),
    (put(first_slice, "file", "/etc/passwd"), "is no path inside a backup: it is empty, begins or ends with a slash"),
    (put(first_slice, "file", "a\\..\\b"), "is no path inside a backup"),
    (put(first_slice, "file", "manifest.json"), "manifest.json is not a file of points"),
    (put(first_slice, "backup", ".."), "which is no id of a backup"),
    (put(first_slice, "backup", "00000099-20260131T000000Z"), "lies in a backup that is not older"),
    (put(first_slice, "backup", "00000001-20200131T000000Z"), "lies in a backup that is not older"),
    (put(first_slice, "packing", "rar"), "packing is 'rar', and none of gzip, zstd"),
    (put(first_slice, "encrypted", "no"), "neither true nor false"),
    (put(first_slice, "size", -1), "size is no whole number from 0 up"),
    (put(first_slice, "sha256", "0" * 63), "has no size and SHA-256"),
    (put(first_slice, "sha256", "G" * 64), "has no size and SHA-256"),
    (put(first_slice, "text_bytes", 3), "counts its points, values and bytes wrongly"),
    (put(first_slice, "points", 0), "points is no whole number from 1 up"),
    (put(first_slice, "points", 101), "counts its points, values and bytes wrongly"),
    (put(first_slice, "first_ns", 0), "has points outside its range"),
    (put(first_slice, "last_ns", 2**62), "has points outside its range"),
    (put(first_slice, "counts", "100"), "has no digest in counts and checksum"),
    (put(first_slice, "counts", "100:" + "x" * 32), "has no digest in counts and checksum"),
    (put(first_slice, "checksum", ""), "has no digest in counts and checksum"),
    (drop(first_slice, "checksum"), "checksum is missing"),
    (drop(first_slice, "range"), "range is missing"),
    (put(first_slice, "range", 7), "range is no object"),
]


@pytest.mark.parametrize(("change", "reason"), WRONG)
def test_what_cannot_be_is_refused_even_with_right_checksums(
    manifest: Manifest,
    change: Callable[[Document], object],
    reason: str,
) -> None:
    document = json.loads(canonical(document_of(manifest)))
    change(document)
    with pytest.raises(BackupDamaged, match=reason) as refused:
        read_manifest(resealed(document), PATH)
    assert refused.value.message.startswith(f"{PATH} is damaged: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no JSON, or was cut"),
        (b"{", "it is no JSON, or was cut"),
        (b"[]\n", "it is no JSON object"),
        (b"7\n", "it is no JSON object"),
        (b"{}\n", "seal is no object"),
        (b'{"seal": {}}\n', "seal.sha256 is missing"),
        (b'{"seal": {"sha256": "0", "hmac_sha256": "", "x": 1}}\n', "seal has a member 'x'"),
        (b'{"seal": {"sha256": "0", "hmac_sha256": ""}}\n', "SHA-256 is not the one that it names"),
        (b'{"a": NaN, "seal": {"sha256": "0", "hmac_sha256": ""}}\n', "damaged"),
        ('{"a": "ä"}'.encode(), "it is no JSON, or was cut"),
        (b"[" * 200_000, "damaged"),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BackupDamaged, match=reason):
        read_manifest(content, PATH)


def test_a_member_that_is_there_twice_is_noticed(manifest: Manifest) -> None:
    content = manifest_bytes(manifest).replace(b'{\n "buckets"', b'{\n "comment": "other",\n "buckets"')
    with pytest.raises(BackupDamaged, match="it is not written as manifests are"):
        read_manifest(content, PATH)


def test_a_slice_alone_comes_back_for_a_checkpoint(manifest: Manifest) -> None:
    entry = manifest.buckets[0].slices[0]
    assert slice_of(json.loads(json.dumps(slice_document(entry))), "checkpoint") == entry


def test_a_manifest_knows_its_files_and_where_they_lie(manifest: Manifest) -> None:
    assert [entry.path.rpartition("/")[2] for entry in manifest.entries][-1] == "notes.txt"
    assert len(manifest.entries) == 5
    assert manifest.size == sum(entry.size for entry in manifest.entries)
    assert (manifest.sequence, manifest.references) == (1, frozenset())
    older = replace(manifest.files[0], backup="00000001-20250131T000000Z")
    newer = replace(manifest, backup_id="00000002-20260131T000000Z", buckets=(), files=(older,))
    assert newer.references == {"00000001-20250131T000000Z"}
    assert [bucket.points for bucket in manifest.buckets] == [200, 200]


def test_values_cannot_contradict_themselves(manifest: Manifest) -> None:
    entry = manifest.buckets[0].slices[0]
    wrong: list[Callable[[], object]] = [
        lambda: replace(manifest, missing=(Missing("b", DAY_1, "away"),)),
        lambda: replace(manifest, state=BackupState.PARTIAL),
        lambda: replace(entry, digest=SliceDigest(100, (2**64, 0))),
        lambda: replace(entry, span=DAY_2),
        lambda: OtherFile("a/../b", manifest.backup_id, 1, "0" * 64),
        lambda: BucketBackup(manifest.buckets[0].metadata, DAY_1, (entry, entry)),
        lambda: BucketBackup(manifest.buckets[0].metadata, TimeRange(0, 1), (entry,)),
    ]
    for make in wrong:
        with pytest.raises(ValueError, match=r"\w+"):
            make()
    partial = replace(manifest, state=BackupState.PARTIAL, missing=(Missing("b", DAY_1, "away"),))
    assert manifest_of(document_of(partial)) == partial
    assert isinstance(entry, SliceFile)
