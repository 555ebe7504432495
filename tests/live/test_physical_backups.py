"""Physical backups between real servers: ours by the real `influx restore`, those of `influx backup` by us."""

import gzip
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.archive import physical_manifest
from service.archive.local_folder import LocalFolder
from service.archive.physical_files import check_physical
from service.archive.physical_manifest import FileCompression, PhysicalFile, PhysicalManifest
from service.domain.timerange import EVER
from service.errors import InvalidParameter, StoreBroken, StoreDenied, StoreFailed
from service.stores.influx.physical import MetadataPart, PhysicalBackups, ShardFiles, bucket_entry
from service.stores.influx.store import InfluxStore
from service.stores.influx.transport import Transport
from tests.support.influx_cli import influx_cli, run_influx
from tests.support.liar import Answer, Lie, lying_link
from tests.support.rows import read
from tests.support.servers import InfluxServer, running_influx

pytestmark = pytest.mark.live
BASE = "20260131T235900Z"
FOLDER = "ours"
MOST = 1_000_000_000
POINTS = 1000


@pytest.fixture(scope="module")
def other() -> Iterator[InfluxServer]:
    with running_influx() as started:
        yield started


def client_at(server: InfluxServer, *, url: str | None = None, token: str | None = None) -> PhysicalBackups:
    return PhysicalBackups(Transport(url or server.url, token or server.token, server.org, silence_timeout_s=30))


@pytest.fixture
def client(influx: InfluxServer) -> Iterator[PhysicalBackups]:
    opened = client_at(influx)
    yield opened
    opened.close()


def filled_bucket(server: InfluxServer) -> str:
    """Points in three shard groups, of every type; the newest are in no file of the server yet."""
    bucket = server.new_bucket(shard_s=86_400)
    lines = []
    for place in range(POINTS):
        time_ns = (20_000 + place % 3) * 86_400_000_000_000 + place
        lines.append(f'm,host=a\\ b f={place}.5,i={place}i,u={place}u,s="ä\n{place}",b=true {time_ns}')
    server.write(bucket, "\n".join(lines))
    return bucket


def rows(server: InfluxServer, bucket: str) -> object:
    store = InfluxStore(server.url, server.token, server.org)
    try:
        return read(store, bucket, EVER)
    finally:
        store.close()


def written(folder: LocalFolder, name: str, chunks: Iterator[bytes], *, gzipped: bool) -> PhysicalFile:
    with folder.create(f"{FOLDER}/{name}") as sink:
        for chunk in chunks:
            sink.write(chunk)
    size = folder.size(f"{FOLDER}/{name}")
    assert size is not None
    return PhysicalFile(name, size, FileCompression.GZIP if gzipped else FileCompression.NONE)


def download(client: PhysicalBackups, folder: LocalFolder, bucket: str) -> PhysicalManifest:
    """A backup of one bucket in the command line's layout, with its manifest."""
    contents = downloaded_metadata(client)
    names = physical_manifest.file_names(BASE, [])
    packed = {part: iter([gzip.compress(content)]) for part, content in contents.items()}
    kv = written(folder, names["kv"], packed[MetadataPart.KV], gzipped=True)
    sql = written(folder, names["sql"], packed[MetadataPart.SQL], gzipped=True)
    entry = next(entry for entry in json.loads(contents[MetadataPart.BUCKETS]) if entry["bucketName"] == bucket)
    files = {}
    for shard_id in shard_ids(entry):
        shard = client.shard(shard_id)
        assert isinstance(shard, ShardFiles)
        name = str(physical_manifest.file_names(BASE, [shard_id])[shard_id])
        files[shard_id] = written(folder, name, shard.chunks, gzipped=shard.gzipped)
    entries = [physical_manifest.with_files(entry, files)]
    content = physical_manifest.written(kv, sql, entries)
    written(folder, physical_manifest.manifest_name(BASE), iter([content]), gzipped=False)
    return physical_manifest.read(content, "manifest")


def downloaded_metadata(client: PhysicalBackups) -> dict[MetadataPart, bytes]:
    contents: dict[MetadataPart, bytes] = {}

    def keep(part: MetadataPart, chunks: Iterator[bytes]) -> None:
        contents[part] = b"".join(chunks)

    client.metadata(keep)
    assert list(contents) == list(MetadataPart)
    return contents


def shard_ids(entry: dict[str, Any]) -> list[int]:
    groups = [group for policy in entry["retentionPolicies"] for group in policy["shardGroups"]]
    return [shard["id"] for group in groups for shard in group["shards"]]


def content_of(folder: Path, file: PhysicalFile) -> Iterator[bytes]:
    content = (folder / file.name).read_bytes()
    return (content[start : start + 1000] for start in range(0, len(content), 1000))


def restore(client: PhysicalBackups, folder: Path, manifest: PhysicalManifest, target: InfluxServer, name: str) -> None:
    [bucket] = manifest.buckets
    organization_id = client.organization_id(target.org)
    entry = bucket_entry(bucket.document, name=name, organization=target.org, organization_id=organization_id)
    mapping = client.restore_bucket(entry)
    for shard in bucket.shards:
        gzipped = shard.file.compression is FileCompression.GZIP
        client.restore_shard(mapping[shard.shard_id], content_of(folder, shard.file), gzipped=gzipped)


def test_what_the_client_downloads_is_whole_and_influx_restore_takes_it(
    influx: InfluxServer, other: InfluxServer, client: PhysicalBackups, tmp_path: Path
) -> None:
    program, bucket = influx_cli(), filled_bucket(influx)
    folder = LocalFolder(tmp_path)
    manifest = download(client, folder, bucket)
    assert list(check_physical(folder, FOLDER, manifest, MOST)) == []
    assert len(manifest.buckets[0].shards) == 3
    run_influx(program, other, "restore", "--bucket", bucket, "--org", other.org, str(tmp_path / FOLDER))
    restored = rows(other, bucket)
    assert restored == rows(influx, bucket)
    assert isinstance(restored, list)
    assert len(restored) == 5 * POINTS


def test_what_influx_backup_wrote_is_restored_into_another_server(
    influx: InfluxServer,
    other: InfluxServer,
    tmp_path: Path,
) -> None:
    program, bucket = influx_cli(), filled_bucket(influx)
    run_influx(program, influx, "backup", "--bucket", bucket, "--org", influx.org, str(tmp_path))
    [path] = tmp_path.glob("*.manifest")
    manifest = physical_manifest.read(path.read_bytes(), path.name)
    client, name = client_at(other), f"again {secrets.token_hex(4)}"
    restore(client, tmp_path, manifest, other, name)
    assert rows(other, name) == rows(influx, bucket)
    with pytest.raises(InvalidParameter, match="another name"):
        restore(client, tmp_path, manifest, other, name)
    assert rows(other, name) == rows(influx, bucket)


def test_a_whole_server_is_restored_into_an_empty_one(
    influx: InfluxServer,
    client: PhysicalBackups,
    tmp_path: Path,
) -> None:
    bucket = filled_bucket(influx)
    folder = LocalFolder(tmp_path)
    manifest = download(client, folder, bucket)
    assert manifest.sql is not None
    with running_influx() as empty:
        first = client_at(empty)
        first.demand_operator()
        token = first.restore_kv(content_of(tmp_path / FOLDER, manifest.kv), gzipped=True) or influx.token
        restored = replace(empty, token=token, org=influx.org)
        second = client_at(restored)
        second.restore_sql(content_of(tmp_path / FOLDER, manifest.sql), gzipped=True)
        for shard in manifest.buckets[0].shards:
            gzipped = shard.file.compression is FileCompression.GZIP
            second.restore_shard(shard.shard_id, content_of(tmp_path / FOLDER, shard.file), gzipped=gzipped)
        assert rows(restored, bucket) == rows(influx, bucket)


def test_an_organization_is_found_or_made(other: InfluxServer) -> None:
    client, name = client_at(other), f"org {secrets.token_hex(4)}"
    made = client.organization_id(name)
    assert client.organization_id(name) == made != client.organization_id(other.org)


def all_access_token(server: InfluxServer) -> str:
    """A token that may read and write all that one organization has; it is no operator token."""
    with server.http() as http:
        organization = http.get("/api/v2/orgs").raise_for_status().json()["orgs"][0]["id"]
        types = ["authorizations", "buckets", "dashboards", "orgs", "tasks", "labels", "views", "dbrp"]
        resources = [{"type": kind, "orgID": organization} for kind in types]
        permissions = [{"action": action, "resource": place} for place in resources for action in ("read", "write")]
        wanted = {"orgID": organization, "permissions": permissions}
        return str(http.post("/api/v2/authorizations", json=wanted).raise_for_status().json()["token"])


def test_a_token_that_is_no_operator_token_is_refused_with_what_to_do(influx: InfluxServer) -> None:
    client = client_at(influx, token=all_access_token(influx))
    entry = next(iter(json.loads(downloaded_metadata(client_at(influx))[MetadataPart.BUCKETS])))
    acts: list[Callable[[], object]] = [
        client.demand_operator,
        lambda: client.metadata(lambda part, chunks: None),
        lambda: client.shard(1),
        lambda: client.restore_bucket({**entry, "bucketName": "b"}),
        lambda: client.restore_shard(1, iter([b"x"]), gzipped=False),
        lambda: client.restore_kv(iter([b"x"]), gzipped=False),
        lambda: client.restore_sql(iter([b"x"]), gzipped=False),
    ]
    for act in acts:
        with pytest.raises(StoreDenied) as refused:
            act()
        assert "INFLUXDB_OPERATOR_TOKEN" in refused.value.message
        assert "operator token" in refused.value.message


def test_an_organization_that_is_not_there_is_said(client: PhysicalBackups) -> None:
    entry = bucket_entry({"bucketName": "b"}, name="b", organization="none", organization_id="0000000000000009")
    with pytest.raises(StoreDenied, match="no such organization"):
        client.restore_bucket(entry)


def test_a_shard_that_is_not_there_is_none(client: PhysicalBackups) -> None:
    client.demand_operator()
    assert client.shard(999_999_999) is None


def test_a_server_without_physical_backups_says_so(influx: InfluxServer) -> None:
    with lying_link(influx.server.port) as liar:
        liar.lie = lambda path, answer: Answer(404, b'{"code":"not found","message":"path not found"}')
        client = client_at(influx, url=liar.url)
        for act in (client.demand_operator, lambda: client.metadata(lambda part, chunks: None)):
            with pytest.raises(StoreFailed, match="kind=logical"):
                act()


def changing(change: Callable[[bytes], bytes]) -> Lie:
    return lambda path, answer: answer.with_body(change(answer.body))


@pytest.mark.parametrize("cut", [0, 100, 5000, -1, -3, -200])
def test_metadata_that_is_cut_and_ended_politely_is_no_backup(influx: InfluxServer, cut: int) -> None:
    """InfluxDB ends an answer that broke off half-way like any other, at times with an error in JSON at its end."""
    with lying_link(influx.server.port) as liar:
        for end in (b"", b'{"code":"internal error","message":"no"}'):
            liar.lie = changing(lambda body, end=end: body.rstrip()[:cut] + end)  # type: ignore[misc]
            with pytest.raises(StoreBroken, match="not whole"):
                downloaded_metadata(client_at(influx, url=liar.url))


def test_parts_in_another_order_are_no_backup(influx: InfluxServer) -> None:
    with lying_link(influx.server.port) as liar:
        for old, new in ((b'name="kv"', b'name="sql"'), (b'name="buckets"', b'name="others"')):
            liar.lie = changing(lambda body, old=old, new=new: body.replace(old, new))  # type: ignore[misc]
            with pytest.raises(StoreBroken, match="is due"):
                client_at(influx, url=liar.url).metadata(lambda part, chunks: None)


def test_what_a_sink_raises_ends_the_backup_and_the_client_goes_on(client: PhysicalBackups) -> None:
    def full(part: MetadataPart, chunks: Iterator[bytes]) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        client.metadata(full)
    assert downloaded_metadata(client)[MetadataPart.SQL].startswith(b"SQLite format 3\0")


@pytest.mark.parametrize("error", [OSError("the disk is gone"), ValueError("damaged"), StoreFailed("away")])
def test_what_the_source_of_an_upload_raises_is_raised_as_it_is(client: PhysicalBackups, error: Exception) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise error

    with pytest.raises(type(error)) as raised:
        client.restore_shard(999_999_999, broken(), gzipped=False)
    assert raised.value is error
    client.demand_operator()
