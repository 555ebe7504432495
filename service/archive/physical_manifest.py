"""The manifest that the `influx` command line writes beside a physical backup (version 2), read and written.

Source: influx-cli, internal/backup_restore/manifest.go. Members that are not known are kept, as the server takes the
entry of a bucket back as it gave it. The manifest has no checksums; what it has is held against the files
(`physical_files`).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from service.archive.json_members import WrongMember
from service.archive.paths import wrong_path
from service.errors import BackupDamaged

MANIFEST_VERSION = 2
LARGEST_MANIFEST_BYTES = 64 * 1024 * 1024
_BASE = re.compile(r"\d{8}T\d{6}Z")


class FileCompression(IntEnum):
    NONE = 0
    GZIP = 1


@dataclass(frozen=True)
class PhysicalFile:
    """A file beside the manifest: its name, its bytes on disk, and its compression."""

    name: str
    size: int
    compression: FileCompression

    @property
    def is_gzipped(self) -> bool:
        return self.compression is FileCompression.GZIP

    def document(self) -> dict[str, Any]:
        return {"fileName": self.name, "size": self.size, "compression": int(self.compression)}


@dataclass(frozen=True)
class PhysicalShard:
    """A shard of a bucket, and the tar that holds its files."""

    shard_id: int
    file: PhysicalFile


@dataclass(frozen=True)
class PhysicalBucket:
    """A bucket by organization and name; `document` is its whole entry, which a restore sends to the server."""

    organization: str
    name: str
    bucket_id: str
    shards: tuple[PhysicalShard, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True)
class PhysicalManifest:
    """A backup: the key-value store, the SQL store (servers before 2.1 have none), and the buckets."""

    kv: PhysicalFile
    sql: PhysicalFile | None
    buckets: tuple[PhysicalBucket, ...]

    @property
    def files(self) -> tuple[PhysicalFile, ...]:
        stores = (self.kv,) if self.sql is None else (self.kv, self.sql)
        return (*stores, *(shard.file for bucket in self.buckets for shard in bucket.shards))


def manifest_name(base: str) -> str:
    """`base` is the time at which the backup began, as in 20260131T235900Z."""
    if not _BASE.fullmatch(base):
        raise ValueError(f"no base name of a physical backup: {base!r}")
    return f"{base}.manifest"


def file_names(base: str, shard_ids: Iterable[int]) -> dict[int | str, str]:
    """The names that the command line gives: of "kv", "sql", and each shard by its id; all compressed."""
    manifest_name(base)
    names: dict[int | str, str] = {"kv": f"{base}.bolt.gz", "sql": f"{base}.sqlite.gz"}
    return names | {shard_id: f"{base}.{shard_id}.tar.gz" for shard_id in shard_ids}


def with_files(bucket: Mapping[str, Any], files: Mapping[int, PhysicalFile]) -> dict[str, Any]:
    """The entry of a bucket as the server gives it (GET /api/v2/backup/metadata), with the file of each shard.

    Shards that have none are left out: they expired while the backup ran. Raises WrongMember for another document.
    """
    policies = []
    for policy in _objects(bucket, "retentionPolicies", "bucket"):
        groups = []
        for group in _objects(policy, "shardGroups", "bucket.retentionPolicies"):
            shards = _objects(group, "shards", "bucket.retentionPolicies.shardGroups")
            kept = [{**shard, **files[_id(shard)].document()} for shard in shards if _id(shard) in files]
            groups.append({**group, "shards": kept})
        policies.append({**policy, "shardGroups": groups})
    return {**bucket, "retentionPolicies": policies}


def written(kv: PhysicalFile, sql: PhysicalFile | None, buckets: Sequence[Mapping[str, Any]]) -> bytes:
    """The bytes of a manifest, as the command line indents them. `buckets` are entries `with_files`."""
    document: dict[str, Any] = {"manifestVersion": MANIFEST_VERSION, "kv": kv.document()}
    if sql is not None:
        document["sql"] = sql.document()
    return json.dumps({**document, "buckets": list(buckets)}, indent=2, ensure_ascii=False).encode() + b"\n"


def read(content: bytes, path: str) -> PhysicalManifest:
    """The manifest in the file `path`.

    Raises:
        BackupDamaged: it is no manifest of version 2, lacks something, names a file twice, or one that lies elsewhere.
    """
    try:
        if len(content) > LARGEST_MANIFEST_BYTES:
            raise WrongMember(f"it is larger than {LARGEST_MANIFEST_BYTES} bytes")
        return _manifest(_parsed(content))
    except (ValueError, RecursionError) as reason:
        raise BackupDamaged(path, str(reason) or "it is nested too deeply") from None


def newest(manifests: Sequence[tuple[str, PhysicalManifest]]) -> PhysicalManifest:
    """What `influx restore` takes of a folder with many manifests: of the stores and of each bucket the newest by name.

    Raises ValueError for none.
    """
    if not manifests:
        raise ValueError("a folder without a manifest is no physical backup")
    ordered = [manifest for _, manifest in sorted(manifests, key=lambda named: named[0])]
    buckets = {(bucket.organization, bucket.name): bucket for manifest in ordered for bucket in manifest.buckets}
    return PhysicalManifest(ordered[-1].kv, ordered[-1].sql, tuple(buckets.values()))


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        raise WrongMember("it is no JSON, or was cut") from None
    if not isinstance(document, dict):
        raise WrongMember("it is no JSON object")
    return document


def _manifest(document: Mapping[str, Any]) -> PhysicalManifest:
    version = document.get("manifestVersion")
    if version is None:
        raise WrongMember("it has no manifestVersion, as in InfluxDB 2.0: `influx restore` reads it, and this does not")
    if type(version) is not int or version != MANIFEST_VERSION:
        raise WrongMember(f"its manifestVersion is {version!r:.50}, and {MANIFEST_VERSION} is what can be read")
    sql = document.get("sql")
    manifest = PhysicalManifest(
        _file(document.get("kv"), "kv"),
        None if sql is None else _file(sql, "sql"),
        tuple(_bucket(bucket, f"buckets[{place}]") for place, bucket in enumerate(_objects(document, "buckets", ""))),
    )
    names = [file.name for file in manifest.files]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise WrongMember(f"it names the file {twice!r} twice")
    return manifest


def _file(value: object, place: str) -> PhysicalFile:
    if not isinstance(value, Mapping):
        raise WrongMember(f"{place} is missing")
    name, size, compression = _text(value, "fileName", place), value.get("size"), value.get("compression")
    if "/" in name or wrong_path(name) is not None:
        raise WrongMember(f"{place}.fileName {name[:200]!r} is no name of a file beside the manifest")
    if type(size) is not int or size < 0:
        raise WrongMember(f"{place}.size is no number of bytes")
    if type(compression) is not int or compression not in (0, 1):
        raise WrongMember(f"{place}.compression is neither 0 (none) nor 1 (gzip)")
    return PhysicalFile(name, size, FileCompression(compression))


def _bucket(value: Mapping[str, Any], place: str) -> PhysicalBucket:
    if len(_objects(value, "retentionPolicies", place)) != 1:
        raise WrongMember(f"{place} has not exactly one retention policy, which a restore needs")
    shards = tuple(_shards(value, place))
    names = [_text(value, name, place) for name in ("organizationName", "bucketName", "bucketID")]
    return PhysicalBucket(names[0], names[1], names[2], shards, value)


def _shards(bucket: Mapping[str, Any], place: str) -> Iterator[PhysicalShard]:
    for policy in _objects(bucket, "retentionPolicies", place):
        for group in _objects(policy, "shardGroups", place):
            for shard in _objects(group, "shards", place):
                yield PhysicalShard(_id(shard), _file(shard, f"{place}: shard {_id(shard)}"))


def _objects(value: Mapping[str, Any], name: str, place: str) -> list[Mapping[str, Any]]:
    """A list of objects. Go writes an empty list as null where it was never made."""
    items = value.get(name)
    if items is None and name in value:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise WrongMember(f"{place}.{name}".lstrip(".") + " is no list of objects")
    return items


def _id(shard: Mapping[str, Any]) -> int:
    shard_id = shard.get("id")
    if type(shard_id) is not int or shard_id < 0:
        raise WrongMember("a shard has no id")
    return shard_id


def _text(value: Mapping[str, Any], name: str, place: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise WrongMember(f"{place}.{name} is no text")
    return text
