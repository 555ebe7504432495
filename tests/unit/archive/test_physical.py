"""Physical backups of the `influx` command line: their manifest is read and written, every damage found."""

import copy
import gzip
import io
import json
import sqlite3
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.archive import physical_manifest
from service.archive.local_folder import LocalFolder
from service.archive.physical_files import StoreKind, check_physical, damage_of, shard_check, store_check
from service.archive.physical_manifest import FileCompression, PhysicalFile, PhysicalManifest
from service.archive.tar_entries import NotTar, TarEntry, tar_entries
from service.errors import BackupDamaged
from tests.unit.archive.test_destination import put

BASE = "20260131T235900Z"
FOLDER = "00000001-20260131T235900Z"
BUCKET_ID = "0a1b2c3d4e5f6071"
MOST = 50_000_000
Document = dict[str, Any]


def server_bucket(shard_ids: tuple[int, ...] = (7, 8)) -> Document:
    """As GET /api/v2/backup/metadata gives it."""
    groups = [
        {
            "id": shard_id,
            "startTime": "2026-01-26T00:00:00Z",
            "endTime": "2026-02-02T00:00:00Z",
            "shards": [{"id": shard_id, "shardOwners": [{"nodeID": 0}]}],
        }
        for shard_id in shard_ids
    ]
    policy = {
        "name": "autogen",
        "replicaN": 1,
        "duration": 0,
        "shardGroupDuration": 604_800_000_000_000,
        "shardGroups": groups,
        "subscriptions": None,
    }
    return {
        "organizationID": "org-id",
        "organizationName": "plant",
        "bucketID": BUCKET_ID,
        "bucketName": "sensors / ä",
        "defaultRetentionPolicy": "autogen",
        "retentionPolicies": [policy],
    }


def tarred(entries: list[tuple[str, bytes]], change: Callable[[tarfile.TarInfo], object] = lambda entry: None) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            change(entry)
            tar.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def shard_tar(shard_id: int) -> bytes:
    folder = f"{BUCKET_ID}/autogen/{shard_id}"
    return tarred([(f"{folder}/000000001-000000001.tsm", b"t" * 3000), (f"{folder}/fields.idx", b"")])


def bolt(pages: int = 4) -> bytes:
    first = bytes(16) + bytes.fromhex("edda0ced") + (2).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    return first.ljust(4096, b"\0") + bytes(4096 * (pages - 1))


def sqlite(tmp_path: Path) -> bytes:
    path = tmp_path / "some.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table if not exists notebooks (id text)")
    return path.read_bytes()


@pytest.fixture
def physical(tmp_path: Path, folder: LocalFolder) -> PhysicalManifest:
    """A whole physical backup in `folder`."""
    names = physical_manifest.file_names(BASE, (7, 8))
    contents = {"kv": bolt(), "sql": sqlite(tmp_path), 7: shard_tar(7), 8: shard_tar(8)}
    files: dict[int | str, PhysicalFile] = {}
    for key, name in names.items():
        packed = gzip.compress(contents[key], mtime=0)
        put(folder, f"{FOLDER}/{name}", packed)
        files[key] = PhysicalFile(name, len(packed), FileCompression.GZIP)
    shards = {key: file for key, file in files.items() if isinstance(key, int)}
    bucket = physical_manifest.with_files(server_bucket(), shards)
    content = physical_manifest.written(files["kv"], files["sql"], [bucket])
    put(folder, f"{FOLDER}/{physical_manifest.manifest_name(BASE)}", content)
    return physical_manifest.read(content, "x.manifest")


def document_of(manifest: PhysicalManifest) -> Document:
    buckets = [bucket.document for bucket in manifest.buckets]
    document: Document = json.loads(physical_manifest.written(manifest.kv, manifest.sql, buckets))
    return document


def test_a_whole_backup_has_no_damage(folder: LocalFolder, physical: PhysicalManifest) -> None:
    assert list(check_physical(folder, FOLDER, physical, MOST)) == []
    endings = [file.name.removeprefix(BASE) for file in physical.files]
    assert endings == [".bolt.gz", ".sqlite.gz", ".7.tar.gz", ".8.tar.gz"]


def test_the_manifest_is_that_of_the_command_line(physical: PhysicalManifest) -> None:
    document = document_of(physical)
    assert list(document) == ["manifestVersion", "kv", "sql", "buckets"]
    assert document["manifestVersion"] == 2
    assert document["kv"] == {"fileName": f"{BASE}.bolt.gz", "size": physical.kv.size, "compression": 1}
    shard = document["buckets"][0]["retentionPolicies"][0]["shardGroups"][0]["shards"][0]
    assert shard == {
        "id": 7,
        "shardOwners": [{"nodeID": 0}],
        "fileName": f"{BASE}.7.tar.gz",
        "size": physical.buckets[0].shards[0].file.size,
        "compression": 1,
    }
    assert document["buckets"][0]["bucketName"] == "sensors / ä"
    [bucket] = physical.buckets
    assert (bucket.organization, bucket.name, bucket.bucket_id) == ("plant", "sensors / ä", BUCKET_ID)
    assert physical_manifest.read(json.dumps(document).encode(), "x") == physical


def test_a_shard_that_expired_meanwhile_is_left_out(physical: PhysicalManifest) -> None:
    bucket = physical_manifest.with_files(server_bucket(), {7: physical.buckets[0].shards[0].file})
    groups = bucket["retentionPolicies"][0]["shardGroups"]
    assert [len(group["shards"]) for group in groups] == [1, 0]
    assert server_bucket() == copy.deepcopy(server_bucket())


def test_a_backup_without_the_sql_store_is_read(physical: PhysicalManifest) -> None:
    document = document_of(physical)
    del document["sql"]
    assert physical_manifest.read(json.dumps(document).encode(), "x").sql is None
    document["sql"] = None
    assert physical_manifest.read(json.dumps(document).encode(), "x").sql is None


def test_members_that_are_not_known_are_kept(physical: PhysicalManifest) -> None:
    document = document_of(physical)
    document["buckets"][0]["new"] = {"in": "a later version"}
    again = physical_manifest.read(json.dumps(document).encode(), "x")
    assert document_of(again)["buckets"][0]["new"] == {"in": "a later version"}


def test_of_many_manifests_the_newest_of_each_bucket_counts(physical: PhysicalManifest) -> None:
    def dated(day: int, *names: str) -> PhysicalManifest:
        document = document_of(physical)
        base = f"202602{day:02d}T000000Z"
        text = json.dumps(document).replace(BASE, base)
        document = json.loads(text)
        buckets = []
        for place, name in enumerate(names):
            renamed = json.dumps({**document["buckets"][0], "bucketName": name})
            buckets.append(json.loads(renamed.replace(f"{base}.", f"{base}.{place}")))
        return physical_manifest.read(json.dumps({**document, "buckets": buckets}).encode(), base)

    merged = physical_manifest.newest([("b", dated(2, "x", "z")), ("a", dated(1, "x", "y"))])
    assert merged.kv.name == "20260202T000000Z.bolt.gz"
    assert {bucket.name: bucket.shards[0].file.name[:8] for bucket in merged.buckets} == {
        "x": "20260202",
        "y": "20260201",
        "z": "20260202",
    }
    with pytest.raises(ValueError, match="without a manifest"):
        physical_manifest.newest([])


def shard(document: Document) -> Document:
    found: Document = document["buckets"][0]["retentionPolicies"][0]["shardGroups"][0]["shards"][0]
    return found


WRONG: list[tuple[Callable[[Document], object], str]] = [
    (lambda d: d.pop("manifestVersion"), "as in InfluxDB 2.0"),
    (lambda d: d.update(manifestVersion=3), "manifestVersion is 3, and 2 is what can be read"),
    (lambda d: d.update(manifestVersion="2"), "manifestVersion is '2'"),
    (lambda d: d.pop("kv"), "kv is missing"),
    (lambda d: d["kv"].pop("fileName"), "kv.fileName is no text"),
    (lambda d: d["kv"].update(fileName="../x.bolt"), "no name of a file beside the manifest"),
    (lambda d: d["kv"].update(fileName="/etc/passwd"), "no name of a file beside the manifest"),
    (lambda d: d["kv"].update(fileName="a/b"), "no name of a file beside the manifest"),
    (lambda d: d["kv"].update(fileName=".."), "no name of a file beside the manifest"),
    (lambda d: d["kv"].update(size=-1), "kv.size is no number of bytes"),
    (lambda d: d["kv"].update(size="7"), "kv.size is no number of bytes"),
    (lambda d: d["sql"].update(compression=2), "sql.compression is neither 0"),
    (lambda d: d["sql"].update(compression=True), "sql.compression is neither 0"),
    (lambda d: d["sql"].update(fileName=d["kv"]["fileName"]), "names the file .* twice"),
    (lambda d: d.pop("buckets"), "buckets is no list of objects"),
    (lambda d: d.update(buckets=[7]), "buckets is no list of objects"),
    (lambda d: d["buckets"][0].update(retentionPolicies=[]), "not exactly one retention policy"),
    (lambda d: d["buckets"][0].update(retentionPolicies=None), "not exactly one retention policy"),
    (lambda d: d["buckets"][0].pop("bucketName"), "bucketName is no text"),
    (lambda d: d["buckets"][0].update(organizationName=""), "organizationName is no text"),
    (lambda d: d["buckets"][0]["retentionPolicies"][0].pop("shardGroups"), "shardGroups is no list"),
    (lambda d: shard(d).pop("id"), "a shard has no id"),
    (lambda d: shard(d).update(id=-7), "a shard has no id"),
    (lambda d: shard(d).update(fileName="../../x"), "shard 7.fileName .* is no name of a file"),
    (lambda d: shard(d).pop("size"), "shard 7.size is no number"),
    (lambda d: shard(d).update(fileName=d["kv"]["fileName"]), "names the file .* twice"),
]


@pytest.mark.parametrize(("change", "reason"), WRONG)
def test_a_manifest_that_cannot_be_is_refused(
    physical: PhysicalManifest,
    change: Callable[[Document], object],
    reason: str,
) -> None:
    document = document_of(physical)
    change(document)
    with pytest.raises(BackupDamaged, match=f"x.manifest is damaged: .*{reason}"):
        physical_manifest.read(json.dumps(document).encode(), "x.manifest")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 200_000])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(BackupDamaged):
        physical_manifest.read(content, "x.manifest")


@pytest.mark.parametrize("base", ["", "2026", "../20260131T235900Z", "20260131T235900Z/x"])
def test_base_names_are_times(base: str) -> None:
    with pytest.raises(ValueError, match="no base name"):
        physical_manifest.file_names(base, ())


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("damage", ["missing", "cut", "flip", "longer", "empty", "not gzip"])
def test_every_damage_of_a_file_is_found(
    tmp_path: Path,
    folder: LocalFolder,
    physical: PhysicalManifest,
    place: int,
    damage: str,
) -> None:
    file = physical.files[place]
    path = tmp_path / "backups" / FOLDER / file.name
    data = path.read_bytes()
    changed = {
        "cut": data[: len(data) // 2],
        "flip": data[:-6] + bytes([data[-6] ^ 1]) + data[-5:],
        "longer": data + b"x",
        "empty": b"",
        "not gzip": b"\0" * len(data),
    }
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(changed[damage])
    [found] = check_physical(folder, FOLDER, physical, MOST)
    assert found.file == f"{FOLDER}/{file.name}"


def refused(
    folder: LocalFolder,
    content: bytes,
    kind: StoreKind | None = None,
    most: int = MOST,
    packed: bool = True,
) -> str:
    data = gzip.compress(content) if packed else content
    put(folder, f"{FOLDER}/file", data)
    file = PhysicalFile("file", len(data), FileCompression.GZIP if packed else FileCompression.NONE)
    check = shard_check(BUCKET_ID, 7) if kind is None else store_check(kind)
    damage = damage_of(folder, f"{FOLDER}/file", file, check, most)
    return "" if damage is None else damage.reason


def test_stores_that_are_not_whole_are_found(tmp_path: Path, folder: LocalFolder) -> None:
    whole = sqlite(tmp_path)
    assert refused(folder, bolt(), StoreKind.KV) == ""
    assert refused(folder, bolt(), StoreKind.KV, packed=False) == ""
    assert refused(folder, whole, StoreKind.SQL, packed=False) == ""
    assert "no bolt file" in refused(folder, whole, StoreKind.KV)
    assert "no SQLite file" in refused(folder, bolt(), StoreKind.SQL)
    assert "was cut" in refused(folder, bolt()[:-1], StoreKind.KV)
    assert "was cut" in refused(folder, bolt(1), StoreKind.KV)
    assert "was cut" in refused(folder, whole[:-4096], StoreKind.SQL)
    assert "no bolt file" in refused(folder, b"", StoreKind.KV)
    assert "no SQLite file" in refused(folder, b"SQLite", StoreKind.SQL)


def test_a_bomb_is_refused_before_it_is_unpacked(folder: LocalFolder) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(300)) + packer.flush()
    put(folder, f"{FOLDER}/file", bomb)
    file = PhysicalFile("file", len(bomb), FileCompression.GZIP)
    damage = damage_of(folder, f"{FOLDER}/file", file, shard_check(BUCKET_ID, 7), 2_000_000)
    assert damage is not None
    assert "more than 2000000 bytes" in damage.reason or "end mark" in damage.reason
    stored = damage_of(folder, f"{FOLDER}/file", file, store_check(StoreKind.KV), 2_000_000)
    assert stored is not None
    assert "more than 2000000 bytes" in stored.reason


INSIDE = f"{BUCKET_ID}/autogen/7"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/cron",
        "/etc/passwd",
        f"{INSIDE}/../../x",
        f"{INSIDE}/./x",
        f"{INSIDE}//x",
        f"{BUCKET_ID}/autogen/8/x",
        "x",
        f"{INSIDE}0/x",
    ],
)
def test_a_tar_that_climbs_is_refused(folder: LocalFolder, name: str) -> None:
    assert "lies outside" in refused(folder, tarred([(name, b"x")]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_a_tar_with_links_or_devices_is_refused(folder: LocalFolder, kind: bytes) -> None:
    def change(entry: tarfile.TarInfo) -> None:
        entry.type, entry.linkname = kind, "/etc/passwd"

    assert "neither a file nor a folder" in refused(folder, tarred([(f"{INSIDE}/x", b"")], change))


def test_a_tar_that_is_not_whole_is_refused(folder: LocalFolder) -> None:
    whole = shard_tar(7)
    assert refused(folder, whole) == ""
    assert refused(folder, whole, packed=False) == ""
    end = whole.rstrip(b"\0")
    for length in (0, 1, 511, 512, 700, 512 + 2999, len(end), -len(whole) + 4608):
        assert "tar is not whole" in refused(folder, whole[:length], packed=False)
    assert "was cut" in refused(folder, whole[: 512 + 3072 + 512 + 512])
    assert "checksum is wrong" in refused(folder, b"X" + whole[1:])
    assert "something follows its end mark" in refused(folder, whole + b"x" * 512)
    assert "twice" in refused(folder, tarred([(f"{INSIDE}/x", b"1"), (f"{INSIDE}/x", b"2")]))
    assert refused(folder, tarred([])) == ""
    assert "no number" in refused(folder, b"9" * 1024)


def test_a_tar_has_a_largest_number_of_entries(folder: LocalFolder) -> None:
    head = tarred([("NAME", b"")])[:512]

    def heads() -> Iterator[bytes]:
        for number in range(100_001):
            entry = bytearray(head)
            entry[:100] = f"{INSIDE}/{number}".encode().ljust(100, b"\0")
            entry[148:156] = b" " * 8
            entry[148:156] = f"{sum(entry):06o}\0 ".encode()
            yield bytes(entry)

    assert "more than 100000 entries" in refused(folder, b"".join(heads()) + bytes(1024), most=MOST * 2)


def pax(**records: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(f"{INSIDE}/x")
        entry.pax_headers = records
        tar.addfile(entry)
    return target.getvalue()


def test_extended_heads_may_say_owners_and_not_names() -> None:
    assert list(tar_entries(iter([pax(uid="4000000000", mtime="1.5")]))) == [TarEntry(f"{INSIDE}/x", 0, False)]
    for records in ({"path": "/etc/passwd"}, {"linkpath": "x"}, {"size": "1"}, {"GNU.sparse.name": "x"}):
        with pytest.raises(NotTar, match="another name or size"):
            list(tar_entries(iter([pax(**records)])))
    with pytest.raises(NotTar, match="more than 65536"):
        list(tar_entries(iter([pax(comment="x" * 100_000)])))


def test_a_tar_is_read_however_its_bytes_arrive() -> None:
    data = tarred([(f"{INSIDE}/{number}", b"x" * number * 300) for number in range(6)])
    expected = [TarEntry(f"{INSIDE}/{number}", number * 300, False) for number in range(6)]
    for size in (1, 511, 512, 513, 5000, len(data)):
        pieces = (data[start : start + size] for start in range(0, len(data), size))
        assert list(tar_entries(pieces)) == expected


def test_names_and_sizes_of_all_kinds_of_tar_are_read() -> None:
    long = f"{'p' * 80}/{'n' * 80}"
    assert [entry.name for entry in tar_entries(iter([tarred([(long, b"")])]))] == [long]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert [entry.is_folder for entry in tar_entries(iter([target.getvalue()]))] == [True]
    huge = bytearray(tarred([("x", b"")])[:512])
    huge[124:136] = b"\x80" + (10**12).to_bytes(11, "big")
    huge[148:156] = b" " * 8
    huge[148:156] = f"{sum(huge):06o}\0 ".encode()
    with pytest.raises(NotTar, match="in the middle of a file"):
        list(tar_entries(iter([bytes(huge)])))
