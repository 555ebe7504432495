"""Backups and restores between a real InfluxDB and the embedded store, with a place on a real S3 server."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.archive.object_storage import BucketAddress, ObjectStorage
from service.domain.bucket_details import BucketDetails, DbrpMapping, Label
from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.errors import BackupDamaged, InvalidParameter
from service.stores.influx.store import InfluxStore
from tests.support.backup_site import DAY_NS, NOW, BackupSite, every_type, flip, slices, write
from tests.support.mirrors import digests
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, s3_server
from tests.support.servers import InfluxServer
from tests.support.stores import embedded_store, influx_store

URL = "http://target.test:8086"
TARGET = {"url": URL, "org": "plant", "token_env": "FLUXGATE_TOKEN_TARGET"}
TIMES = (EARLIEST_NS, -1, 0, 1, NOW - DAY_NS + 1, NOW, NOW + 40_000 * DAY_NS, LATEST_NS - 1)


@pytest.fixture
def store(influx: InfluxServer) -> Iterator[InfluxStore]:
    store = influx_store(influx)
    yield store
    store.close()


def names(tag: str) -> list[str]:
    return [f"{tag} plant a/b", f"..🚜{tag}", f"q'u'o te {tag}", f"%2e{tag}", f"A{tag}", f"a{tag}"]


def site_of(folder: Path, **parts: object) -> BackupSite:
    site = BackupSite(folder, **parts)  # type: ignore[arg-type]
    site.environment["FLUXGATE_TOKEN_TARGET"] = "secret"
    return site


def test_embedded_to_influxdb_and_back_is_equal_to_the_bit(tmp_path: Path, store: InfluxStore) -> None:
    there, back = names(secrets.token_hex(3)), embedded_store(tmp_path / "back.duckdb")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = site_of(tmp_path / "one")
    for name in there:
        write(first.store, name, "".join(every_type(time_ns, place + 1) for place, time_ns in enumerate(TIMES)))
    first.store.create_bucket(BucketSpec(f"empty {there[0]}"))
    first.backup()
    first.targets[URL] = store
    assert first.restore(target=TARGET)["state"] == "equal"
    second = site_of(tmp_path / "two", store=store)
    manifest = second.backup(buckets=[*there, f"empty {there[0]}"])
    assert manifest.missing == ()
    second.targets[URL] = back
    assert second.restore(target=TARGET)["state"] == "equal"
    for name in there:
        assert digests(back, name) == digests(first.store, name) == digests(store, name)
    assert back.first_point(f"empty {there[0]}") is None


def test_influxdb_to_influxdb_with_all_that_hangs_on_a_bucket(tmp_path: Path, store: InfluxStore) -> None:
    tag = secrets.token_hex(3)
    name, copy = f"from {tag}", f"to {tag}"
    site = site_of(tmp_path, store=store)
    write(store, name, every_type(NOW), description="of now", shard_ns=DAY_NS, retention_ns=100_000 * DAY_NS)
    details = BucketDetails((Label(f"label {tag}", (("color", "#ff0000"),)),), (DbrpMapping(f"db{tag}", "rp", True),))
    assert store.add_bucket_details(name, details) == []
    site.backup(buckets=[name])
    report = site.restore(buckets={name: copy})["buckets"][0]
    assert report["state"] == "equal"
    assert len(report["notes"]) == 1
    assert f"db{tag}" in report["notes"][0]  # the name of the mapping is the first bucket's
    made, known = store.bucket(copy), store.bucket(name)
    assert (made.description, made.retention_ns, made.shard_ns) == (
        known.description,
        known.retention_ns,
        known.shard_ns,
    )
    assert store.bucket_details(copy).labels == details.labels
    again = site.restore(buckets={name: copy}, merge=True)
    assert (again["state"], digests(store, copy)) == ("equal", digests(store, name))


def test_points_that_the_retention_would_refuse_are_restored_first(tmp_path: Path, store: InfluxStore) -> None:
    tag = secrets.token_hex(3)
    site = site_of(tmp_path)
    site.clock.now = NOW / 1e9 + 10**9
    write(site.store, f"old {tag}", every_type(NOW - 400 * DAY_NS))
    site.backup()
    own = site.store
    bucket = own.bucket(f"old {tag}")
    hour_ns = parse_duration("1h", "retention")
    own.update_bucket(bucket.name, "", 10_000 * DAY_NS)
    store.create_bucket(BucketSpec(f"old {tag}", "", hour_ns, hour_ns))
    site.targets[URL] = store
    with pytest.raises(InvalidParameter, match="keeps points for 3600 s, and the backup has older ones"):
        site.restore(target=TARGET, merge=True)
    assert site.restore(target=TARGET, buckets={f"old {tag}": f"new {tag}"})["state"] == "equal"


def test_a_field_of_another_type_is_named(tmp_path: Path, store: InfluxStore) -> None:
    name = f"types {secrets.token_hex(3)}"
    site = site_of(tmp_path)
    write(site.store, name, every_type(NOW))
    site.backup()
    write(store, name, f"m2 f=1.5 {NOW + 9}\n")
    site.targets[URL] = store
    with pytest.raises(
        InvalidParameter, match="The field 'f' of the measurement 'm2' is integer in the backup, and float"
    ):
        site.restore(target=TARGET, merge=True)


def test_a_backup_on_s3_is_verified_drilled_restored_and_pruned(tmp_path: Path) -> None:
    with s3_server() as server:
        address = BucketAddress(
            server.new_bucket("backups"),
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            region="us-east-1",
            endpoint=server.url,
            timeout_s=5,
        )
        site = site_of(tmp_path, destination=ObjectStorage(address))
        write(site.store, "plant a/b", "".join(every_type(time_ns, place + 1) for place, time_ns in enumerate(TIMES)))
        first = site.backup()
        write(site.store, "plant a/b", every_type(NOW - 9 * DAY_NS))
        second = site.backup()
        assert second.references == {first.backup_id}
        assert site.verify()["outcome"] == "intact"
        assert site.drill()["outcome"] == "proven"
        assert site.restore(buckets={"plant a/b": "copy"})["state"] == "equal"
        assert digests(site.store, "copy") == digests(site.store, "plant a/b")
        assert site.prune()["removed"] == []
        flip(site.destination, slices(second)[0].path)
        with pytest.raises(BackupDamaged, match=f"{first.backup_id}/"):
            site.restore(buckets={"plant a/b": "other"})
        assert "other" not in [bucket.name for bucket in site.store.buckets()]
