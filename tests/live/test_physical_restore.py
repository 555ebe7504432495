"""Physical restores between real InfluxDBs: buckets under new names, whole servers, and what `influx backup` wrote."""

import gzip
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from service.archive.manifest import Manifest
from service.archive.manifest_file import manifest_bytes
from service.archive.slice_files import write_file
from service.domain.timerange import EVER
from service.errors import BackupDamaged, InvalidParameter, StoreDenied
from service.jobs.restore.adopting import adopt
from service.jobs.restore.physical_restore import PhysicalRestore
from service.stores.influx.physical import PhysicalBackups, PhysicalOpener
from service.stores.influx.store import InfluxStore
from service.stores.influx.transport import Transport
from service.stores.observed import BucketChange, ObservedStore
from tests.support.backups import NOW_S, BackupRig
from tests.support.influx_cli import influx_cli, run_influx
from tests.support.mirrors import KeptContext
from tests.support.physical import DAY_NS, VALUES, filled_bucket, opener_of, rows_of
from tests.support.servers import InfluxServer, running_influx
from tests.support.stores import influx_store

pytestmark = pytest.mark.live
NOW_NS = int(NOW_S) * 1_000_000_000


@pytest.fixture(scope="module")
def other() -> Iterator[InfluxServer]:
    with running_influx() as started:
        yield started


@pytest.fixture
def other_store(other: InfluxServer) -> Iterator[InfluxStore]:
    opened = influx_store(other)
    yield opened
    opened.close()


@pytest.fixture
def rig(tmp_path: Path, influx: InfluxServer, store: InfluxStore) -> BackupRig:
    return BackupRig(tmp_path, store, open_physical=opener_of(influx))


def taken(rig: BackupRig, *buckets: str) -> Manifest:
    result = rig.run(kind="physical", **({"buckets": list(buckets)} if buckets else {}))
    assert result["state"] == "complete"
    return rig.place.manifest(result["backup"])


def restore_into(
    rig: BackupRig,
    server: InfluxServer,
    store: InfluxStore | ObservedStore,
    context: KeptContext | None = None,
) -> PhysicalRestore:
    kept = context or KeptContext()
    return PhysicalRestore(rig.place, opener_of(server), store, kept, kept.log)


def test_a_bucket_is_restored_under_a_new_name_into_another_server(
    rig: BackupRig,
    influx: InfluxServer,
    other: InfluxServer,
    other_store: InfluxStore,
) -> None:
    bucket = filled_bucket(influx)
    changes: list[BucketChange] = []
    observed = ObservedStore(other_store, [changes.append])
    result = restore_into(rig, other, observed).buckets(taken(rig, bucket), {bucket: f"{bucket} again"})
    [report] = result["buckets"]
    assert (result["state"], report["state"], report["values"], report["expected_values"]) == (
        "equal",
        "equal",
        VALUES,
        VALUES,
    )
    assert rows_of(other, f"{bucket} again") == rows_of(influx, bucket)
    assert changes == [BucketChange(f"{bucket} again", (EVER,))]


def test_old_points_come_back_and_the_retention_is_set_last(
    rig: BackupRig,
    influx: InfluxServer,
    other: InfluxServer,
    other_store: InfluxStore,
    store: InfluxStore,
) -> None:
    bucket = filled_bucket(influx)
    store.update_bucket(bucket, "with a retention", 30_000 * DAY_NS)
    manifest = taken(rig, bucket)
    restore_into(rig, other, other_store).buckets(manifest, None)
    restored = other_store.bucket(bucket)
    assert (restored.retention_ns, restored.description) == (30_000 * DAY_NS, "with a retention")
    assert restored.shard_ns == DAY_NS


def test_points_that_were_written_while_the_backup_ran_are_more(
    rig: BackupRig,
    influx: InfluxServer,
    other: InfluxServer,
    other_store: InfluxStore,
) -> None:
    bucket = filled_bucket(influx)
    manifest = taken(rig, bucket)
    folder = rig.place.physical_folder(manifest)
    counts = folder.counts()
    [(name, counted)] = counts.items()
    assert (name, counted.total) == (f"{influx.org}/{bucket}", VALUES)
    fewer = {start: count - 1 for start, count in counted.values.items()}
    _rewrite_counts(rig, manifest, fewer)
    result = restore_into(rig, other, other_store).buckets(rig.place.manifest(manifest.backup_id), None)
    assert (result["state"], result["buckets"][0]["values"] - result["buckets"][0]["expected_values"]) == ("more", 3)


def _rewrite_counts(rig: BackupRig, manifest: Manifest, values: dict[int, int]) -> None:
    """Change the counts of the only bucket of a backup, with its manifest."""
    root = Path(rig.place.name) / manifest.backup_id
    document = json.loads((root / "counts.json").read_text())
    [counted] = document["buckets"].values()
    counted["values"] = {str(start): count for start, count in values.items()}
    entry = write_file(rig.place.destination, manifest.backup_id, "counts.json", [json.dumps(document).encode()])
    files = tuple(entry if file.file == "counts.json" else file for file in manifest.files)
    (root / "manifest.json").write_bytes(manifest_bytes(replace(manifest, files=files)))


def test_a_restore_that_lost_points_says_which(
    rig: BackupRig,
    influx: InfluxServer,
    other: InfluxServer,
    other_store: InfluxStore,
) -> None:
    """InfluxDB answers success to an upload that it dropped."""
    bucket = filled_bucket(influx)
    manifest = taken(rig, bucket)
    kept = KeptContext()
    result = PhysicalRestore(rig.place, losing_opener(other), other_store, kept, kept.log).buckets(manifest, None)
    [report] = result["buckets"]
    assert (result["state"], report["different_slices"]) == ("different", 1)
    assert (report["differing"][0]["values"], report["differing"][0]["expected_values"]) == (0, VALUES // 3)
    assert any(level == "error" and "Some are lost" in line for level, line in kept.lines)


class Losing(PhysicalBackups):
    """A server that swallows the first shard."""

    taken = 0

    def restore_shard(self, shard_id: int, chunks: Iterator[bytes], *, gzipped: bool) -> None:
        self.taken += 1
        if self.taken > 1:
            super().restore_shard(shard_id, chunks, gzipped=gzipped)


def losing_opener(server: InfluxServer) -> PhysicalOpener:
    @contextmanager
    def opened(token: str | None) -> Iterator[PhysicalBackups]:
        yield Losing(Transport(server.url, server.token, server.org))

    return opened


def test_a_bucket_that_is_there_is_never_written_into(rig: BackupRig, influx: InfluxServer, store: InfluxStore) -> None:
    bucket = filled_bucket(influx)
    manifest = taken(rig, bucket)
    before = rows_of(influx, bucket)
    with pytest.raises(InvalidParameter, match="another name"):
        restore_into(rig, influx, store).buckets(manifest, None)
    with pytest.raises(InvalidParameter, match="has no bucket 'none'"):
        restore_into(rig, influx, store).buckets(manifest, {"none": "x"})
    assert rows_of(influx, bucket) == before


def test_damage_is_found_before_anything_is_written(
    rig: BackupRig, influx: InfluxServer, other: InfluxServer, other_store: InfluxStore
) -> None:
    bucket = filled_bucket(influx)
    manifest = taken(rig, bucket)
    [path, *_] = (Path(rig.place.name) / manifest.backup_id).glob("*.tar.gz")
    whole = path.read_bytes()
    tar = gzip.decompress(whole)
    for damaged in (
        whole[:-1],
        whole[:50] + bytes([whole[50] ^ 4]) + whole[51:],
        gzip.compress(tar[: len(tar) // 2]),
        None,
    ):
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        with pytest.raises(BackupDamaged) as found:
            restore_into(rig, other, other_store).buckets(manifest, {bucket: "never"})
        assert found.value.file == f"{manifest.backup_id}/{path.name}"
        path.write_bytes(whole)
    assert "never" not in [known.name for known in other_store.buckets()]


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("kill_at", range(1, 8))
def test_a_killed_restore_goes_on_and_adds_nothing_twice(
    rig: BackupRig,
    influx: InfluxServer,
    other: InfluxServer,
    other_store: InfluxStore,
    kill_at: int,
) -> None:
    bucket = filled_bucket(influx)
    manifest = taken(rig, bucket)
    context = KeptContext()
    saves: list[object] = []

    class Dying(KeptContext):
        def save(self, checkpoint: object) -> None:
            saves.append(checkpoint)
            if len(saves) == kill_at:
                raise Killed
            super().save(checkpoint)  # type: ignore[arg-type]

    first = Dying()
    try:
        result = restore_into(rig, other, other_store, first).buckets(manifest, None)
    except Killed:
        if first.saved:
            context.checkpoint = first.saved[-1]
        if kill_at == 2:  # made, and not yet known
            with pytest.raises(InvalidParameter, match="interrupted while it made the bucket"):
                restore_into(rig, other, other_store, context).buckets(manifest, None)
            return
        result = restore_into(rig, other, other_store, context).buckets(manifest, None)
    assert result["state"] == "equal"
    assert rows_of(other, bucket) == rows_of(influx, bucket)


def test_what_influx_backup_wrote_is_adopted_and_restored(
    rig: BackupRig,
    influx: InfluxServer,
    other: InfluxServer,
    other_store: InfluxStore,
) -> None:
    bucket = filled_bucket(influx)
    theirs = Path(rig.place.name) / "theirs"
    for _ in range(2):
        run_influx(influx_cli(), influx, "backup", "--bucket", bucket, "--org", influx.org, str(theirs))
    manifest = adopt(rig.place, "theirs", NOW_NS * 2, KeptContext())
    shutil.rmtree(theirs)
    listed = rig.place.listed()[0]
    assert (listed.backup_id, listed.state.value) == (manifest.backup_id, "complete")
    result = restore_into(rig, other, other_store).buckets(manifest, {bucket: f"{bucket} adopted"})
    assert (result["state"], result["buckets"][0]["values"]) == ("not_compared", VALUES)
    assert rows_of(other, f"{bucket} adopted") == rows_of(influx, bucket)


def test_a_folder_that_is_damaged_or_none_is_not_adopted(rig: BackupRig, influx: InfluxServer) -> None:
    bucket = filled_bucket(influx)
    theirs = Path(rig.place.name) / "theirs"
    run_influx(influx_cli(), influx, "backup", "--bucket", bucket, "--org", influx.org, str(theirs))
    [path, *_] = theirs.glob("*.tar.gz")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BackupDamaged, match="bytes, not"):
        adopt(rig.place, "theirs", NOW_NS, KeptContext())
    with pytest.raises(InvalidParameter, match="no folder 'none'"):
        adopt(rig.place, "none", NOW_NS, KeptContext())
    assert rig.place.listed() == []


def test_an_encrypted_backup_is_restored(
    tmp_path: Path,
    influx: InfluxServer,
    store: InfluxStore,
    other: InfluxServer,
    other_store: InfluxStore,
) -> None:
    bucket = filled_bucket(influx)
    rig = BackupRig(tmp_path, store, place={"passphrase": "a long passphrase"}, open_physical=opener_of(influx))
    assert restore_into(rig, other, other_store).buckets(taken(rig, bucket), None)["state"] == "equal"
    assert rows_of(other, bucket) == rows_of(influx, bucket)


@pytest.mark.parametrize("hashed", ["true", "false"])
def test_a_whole_server_is_restored_in_place_of_another(tmp_path: Path, hashed: str) -> None:
    with (
        running_influx(f"--use-hashed-tokens={hashed}") as source,
        running_influx(token=source.token) as target,
    ):
        bucket = filled_bucket(source)
        rig = BackupRig(tmp_path, influx_store(source), open_physical=opener_of(source))
        manifest = taken(rig)
        filled_bucket(target, name="will be gone")
        name = target.url.removeprefix("http://")
        changes: list[BucketChange] = []
        context, store = KeptContext(), influx_store(target)
        result = restore_into(rig, target, ObservedStore(store, [changes.append]), context).whole_server(manifest, name)
        assert result["state"] == "equal"
        assert {report["bucket"]: report["values"] for report in result["buckets"]} == {bucket: VALUES, "first": 0}
        assert rows_of(target, bucket) == rows_of(source, bucket)
        assert {change.bucket for change in changes} >= {"will be gone", bucket}
        assert any("Tokens, users and passwords" in line for _, line in context.lines)
        assert "will be gone" not in [known.name for known in store.buckets()]
        rig.store.close()
        store.close()


def test_a_whole_restore_that_would_not_end_well_changes_nothing(
    tmp_path: Path,
    other: InfluxServer,
    other_store: InfluxStore,
) -> None:
    with running_influx() as source:
        rig = BackupRig(tmp_path, influx_store(source), open_physical=opener_of(source))
        manifest = taken(rig)
        rig.store.close()
    bucket = filled_bucket(other)
    name = other.url.removeprefix("http://")
    restorer = restore_into(rig, other, other_store)
    for wrong in (None, "", "yes", "localhost"):
        with pytest.raises(InvalidParameter, match=f"confirmation={name}"):
            restorer.whole_server(manifest, wrong)
    with pytest.raises(InvalidParameter, match="none of the tokens in the backup"):
        restorer.whole_server(manifest, name)
    [path] = (Path(rig.place.name) / manifest.backup_id).glob("*.bolt.gz")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BackupDamaged, match="bolt"):
        restorer.whole_server(manifest, name)
    assert len(rows_of(other, bucket)) == VALUES


def test_a_backup_of_some_buckets_replaces_no_server(rig: BackupRig, influx: InfluxServer, store: InfluxStore) -> None:
    bucket = filled_bucket(influx)
    name = influx.url.removeprefix("http://")
    with pytest.raises(InvalidParameter, match="some buckets alone"):
        restore_into(rig, influx, store).whole_server(taken(rig, bucket), name)


def test_a_restore_without_an_operator_token_is_refused(
    rig: BackupRig, influx: InfluxServer, store: InfluxStore
) -> None:
    manifest = taken(rig, filled_bucket(influx))
    kept = KeptContext()
    restorer = PhysicalRestore(rig.place, opener_of(influx, token="wrong"), store, kept, kept.log)
    with pytest.raises(StoreDenied, match="INFLUXDB_OPERATOR_TOKEN"):
        restorer.buckets(manifest, {"a": "b"})
