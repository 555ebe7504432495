"""Physical backup and restore of an InfluxDB 2 over HTTP: its own files, as the `influx` command line takes them.

All of it needs an operator token, which holds the whole server. The bytes are InfluxDB's and are passed on as they
come; whether they are whole is judged by who keeps them (`archive/physical_files`), because InfluxDB ends an answer
that broke off like any other, and answers success to a tar that is cut.
Source: influxdb v2.9.1, http/backup_service.go and http/restore_service.go.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.errors import FluxgateError, InvalidParameter, StoreBroken, StoreDenied, StoreFailed
from service.stores.influx.answers import objects
from service.stores.influx.catalog import making_sense
from service.stores.influx.failures import failure, not_an_answer, reason_of
from service.stores.influx.multipart import NotMultipart, boundary_of, parts
from service.stores.influx.transport import Parameters, Reply, Transport

_METADATA = "/api/v2/backup/metadata"
_ADVICE = (
    "Backing up and restoring the files of InfluxDB 2 needs an operator token: set INFLUXDB_OPERATOR_TOKEN to one."
    " `influx auth create --operator` makes it; a token with all access to one organization is not enough."
)


class MetadataPart(StrEnum):
    """What a backup of the metadata holds, in this order: the key-value store, the SQL store, the list of buckets."""

    KV = "kv"
    SQL = "sql"
    BUCKETS = "buckets"


PartSink = Callable[[MetadataPart, Iterator[bytes]], None]
"""Takes the bytes of a part. What it leaves is passed over; what it raises ends the backup."""


@dataclass(frozen=True)
class ShardFiles:
    """The tar of a shard, to be read once and to its end. `gzipped`: InfluxDB packed it, unless it is very small."""

    chunks: Iterator[bytes]
    gzipped: bool


class PhysicalBackups:
    """`transport` has the operator token, and is not `packed`: bytes are kept as the server packs them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def demand_operator(self) -> None:
        """Raises StoreDenied: the token is no operator token. StoreFailed: the server has no physical backups."""
        files = self.shard(0)
        if files is not None:
            for _ in files.chunks:
                pass

    def metadata(self, sink: PartSink) -> None:
        """Read all metadata of the server, as of one moment; writes to it wait meanwhile.

        What `sink` was given counts only when this returns: then all three parts came, in order, and whole.

        Raises StoreDenied, StoreError; StoreBroken: the answer was cut or is something else.
        """
        reply = self._open("GET", _METADATA)
        try:
            boundary = boundary_of(reply.headers.get("Content-Type", ""))
            expected = iter(MetadataPart)
            for part in parts(reply.chunks(), boundary):
                kind = next(expected, None)
                if kind is None or part.name != kind:
                    raise NotMultipart(f"it has a part {part.name[:50]!r} where {kind or 'the end'} is due")
                sink(kind, part.chunks)
            lacking = next(expected, None)
            if lacking is not None:
                raise NotMultipart(f"it has no part {lacking}")
        except NotMultipart as reason:
            raise StoreBroken(
                f"InfluxDB's answer to {_METADATA} is not whole: {reason}.",
                advice="Back up again; if it stays so, look at its log and the link.",
            ) from None
        finally:
            reply.close()

    def shard(self, shard_id: int) -> ShardFiles | None:
        """The files of a shard, newest points included. None: there is no such shard, as when it expired meanwhile.

        InfluxDB leaves out the newest points while another snapshot of the same shard runs: one backup at a time.
        """
        path = f"/api/v2/backup/shards/{shard_id}"
        reply = self._send("GET", path, headers={"Accept-Encoding": "gzip"})
        if reply.status == 404:
            reason = reason_of(reply.read())
            if "shard" in reason:
                return None
            raise _no_backups(reason)
        _demand_success(reply)
        return ShardFiles(reply.chunks(), reply.headers.get("Content-Encoding", "").lower() == "gzip")

    def organization_id(self, name: str) -> str:
        """The ID of the organization `name`, which is made when there is none."""
        reply = self._send("GET", "/api/v2/orgs", {"org": name})
        if reply.status == 404:
            reply.read()
            return self._make_organization(name)
        _demand_success(reply)
        known = objects(reply.read(), "orgs")
        with making_sense("/api/v2/orgs"):
            ids = [str(organization["id"]) for organization in known if organization["name"] == name]
        return ids[0] if ids else self._make_organization(name)

    def restore_bucket(self, bucket: Mapping[str, Any]) -> dict[int, int]:
        """Make an empty bucket of its entry in a manifest; the new id of each shard, by the old one.

        Raises InvalidParameter: the server has a bucket of that name, or refuses the entry.
        """
        path, headers = "/api/v2/restore/bucketMetadata", {"Content-Type": "application/json"}
        reply = self._send("POST", path, None, json.dumps(bucket).encode(), headers)
        name = str(bucket.get("bucketName"))[:100]
        if reply.status in (400, 422):
            raise InvalidParameter(
                "bucket",
                f"InfluxDB does not make the bucket {name!r} anew: it has one of that name, or refuses what the backup"
                " says of it. Restore it under another name, or delete the one that is there.",
                upstream=reason_of(reply.read()),
            )
        _demand_success(reply)
        answer = _parsed(reply.read(), path)
        with making_sense(path):
            mappings = answer["shardMappings"] or []
            return {int(mapping["oldId"]): int(mapping["newId"]) for mapping in mappings}

    def restore_shard(self, shard_id: int, chunks: Iterator[bytes], *, gzipped: bool) -> None:
        """Give a shard its files: a tar that was found whole. Count the points afterwards.

        InfluxDB answers success to a tar that is cut.
        """
        self._upload(f"/api/v2/restore/shards/{shard_id}", chunks, gzipped)

    def restore_kv(self, chunks: Iterator[bytes], *, gzipped: bool) -> str:
        """Replace the key-value store: every bucket, token and user of the server, and **delete all points** at once.

        The answer is the operator token that holds from now on, which this object's is not. Empty: the backup keeps
        tokens only hashed (the default since 2.9), so its operator's own token has to be known.
        """
        answer = _parsed(self._upload("/api/v2/restore/kv", chunks, gzipped), "/api/v2/restore/kv")
        with making_sense("/api/v2/restore/kv"):
            return str(answer.get("token") or "")

    def restore_sql(self, chunks: Iterator[bytes], *, gzipped: bool) -> None:
        """Replace the SQL store: notebooks, annotations, remotes and replications."""
        self._upload("/api/v2/restore/sql", chunks, gzipped)

    def close(self) -> None:
        self._transport.close()

    def _make_organization(self, name: str) -> str:
        body, headers = json.dumps({"name": name}).encode(), {"Content-Type": "application/json"}
        answer = _parsed(self._open("POST", "/api/v2/orgs", None, body, headers).read(), "/api/v2/orgs")
        with making_sense("/api/v2/orgs"):
            return str(answer["id"])

    def _upload(self, path: str, chunks: Iterator[bytes], gzipped: bool) -> bytes:
        headers = {"Content-Type": "application/octet-stream"}
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        return self._open("POST", path, None, chunks, headers).read()

    def _open(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        body: bytes | Iterator[bytes] | None = None,
        headers: Parameters | None = None,
    ) -> Reply:
        reply = self._send(method, path, parameters, body, headers)
        _demand_success(reply)
        return reply

    def _send(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        body: bytes | Iterator[bytes] | None = None,
        headers: Parameters | None = None,
    ) -> Reply:
        reply = self._transport.send(method, path, parameters, body, headers)
        if reply.status in (401, 403):
            raise StoreDenied(
                f"InfluxDB refuses the token for {path} ({reply.status}).",
                advice=_ADVICE,
                upstream=reason_of(reply.read()),
            )
        return reply


def bucket_entry(
    bucket: Mapping[str, Any],
    *,
    name: str,
    organization: str,
    organization_id: str,
) -> dict[str, Any]:
    """The entry of a bucket in a manifest, as `restore_bucket` takes it: under this name, in this organization.

    It keeps everything, so that no shard expires while points come in: give the bucket its retention afterwards.
    """
    policies = [{**policy, "duration": 0} for policy in bucket.get("retentionPolicies") or []]
    place = {"organizationID": organization_id, "organizationName": organization}
    return {**bucket, **place, "bucketName": name, "retentionPolicies": policies}


def _demand_success(reply: Reply) -> None:
    if 200 <= reply.status < 300:
        return
    body = reply.read()
    if reply.status == 404 and "organization" not in reason_of(body):
        raise _no_backups(reason_of(body))
    raise failure(reply.status, reply.headers, body)


def _no_backups(reason: str) -> FluxgateError:
    return StoreFailed(
        "This InfluxDB neither hands out its files nor takes them back (404).",
        advice="InfluxDB 2.1 and later can; Cloud and others are backed up by kind=logical.",
        upstream=reason,
    )


def _parsed(body: bytes, path: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise not_an_answer(path, "it answers something that is not JSON")
    return answer
