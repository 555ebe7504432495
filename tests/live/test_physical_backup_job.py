"""The job `backup` with kind=physical on a real InfluxDB; the real `influx restore` reads what it writes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.archive import physical_manifest
from service.archive.catalog import ListedState
from service.archive.checking import check_backup
from service.archive.manifest import BackupKind
from service.errors import InvalidParameter, NotOffered, StoreBroken, StoreDenied
from service.jobs.backup.limits import WorkLimits
from service.stores.influx.store import InfluxStore
from tests.support.backups import BackupRig
from tests.support.influx_cli import influx_cli, run_influx
from tests.support.liar import Answer, Liar, lying_link
from tests.support.mirrors import KeptContext
from tests.support.physical import DAY_NS, FIRST_DAY, VALUES, filled_bucket, opener_of, rows_of
from tests.support.proxy import End, Toxic, bad_link
from tests.support.servers import InfluxServer, running_influx
from tests.support.stores import embedded_store, influx_store

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def other() -> Iterator[InfluxServer]:
    with running_influx() as started:
        yield started


@pytest.fixture
def rig(tmp_path: Path, influx: InfluxServer, store: InfluxStore) -> BackupRig:
    return BackupRig(tmp_path, store, open_physical=opener_of(influx))


def folder_of(rig: BackupRig, result: dict[str, Any]) -> Path:
    return Path(rig.place.name) / result["backup"]


def test_influx_restore_takes_the_folder_of_a_backup(rig: BackupRig, influx: InfluxServer, other: InfluxServer) -> None:
    program, bucket = influx_cli(), filled_bucket(influx)
    result = rig.run(kind="physical", buckets=[bucket])
    assert (result["kind"], result["state"], result["points"]) == ("physical", "complete", None)
    [held] = result["buckets"]
    assert (held["name"], held["organization"], held["values"], held["shards"]) == (bucket, influx.org, VALUES, 3)
    run_influx(program, other, "restore", "--bucket", bucket, "--org", other.org, str(folder_of(rig, result)))
    assert rows_of(other, bucket) == rows_of(influx, bucket)


def test_a_backup_is_listed_with_every_file_and_its_sha256(rig: BackupRig, influx: InfluxServer) -> None:
    bucket = filled_bucket(influx)
    result = rig.run(kind="physical", buckets=[bucket], comment="before the upgrade")
    manifest = rig.place.manifest(result["backup"])
    assert (manifest.kind, manifest.comment) == (BackupKind.PHYSICAL, "before the upgrade")
    assert manifest.server == rig.store.server()
    lying = {path.name for path in folder_of(rig, result).iterdir()}
    assert {entry.file for entry in manifest.files} == lying - {"manifest.json", "started.json"}
    assert {Path(name).suffix for name in lying} == {".gz", ".manifest", ".json"}
    assert list(check_backup(rig.place.destination, manifest)) == []
    assert [age.bucket for age in rig.runnable.ages() if age.complete_id] == [bucket]
    assert rig.place.listed()[0].state is ListedState.COMPLETE


def test_everything_on_the_server_is_taken_when_no_bucket_is_named(tmp_path: Path) -> None:
    with running_influx() as server:
        filled_bucket(server, name="Power")
        rig = BackupRig(tmp_path, influx_store(server), open_physical=opener_of(server))
        result = rig.run(kind="physical")
        assert {held["name"]: held["values"] for held in result["buckets"]} == {
            "Power": VALUES,
            "first": 0,
            "_monitoring": None,
            "_tasks": None,
        }
        rig.store.close()


def test_a_bucket_that_is_not_there_makes_the_backup_partial(rig: BackupRig, influx: InfluxServer) -> None:
    bucket = filled_bucket(influx)
    result = rig.run(kind="physical", buckets=[bucket, "none"])
    assert (result["state"], [part["bucket"] for part in result["missing"]]) == ("partial", ["none"])


def test_without_an_operator_token_the_order_is_refused_with_what_to_do(tmp_path: Path, store: InfluxStore) -> None:
    rig = BackupRig(tmp_path, store)
    with pytest.raises(InvalidParameter, match="set INFLUXDB_OPERATOR_TOKEN"):
        rig.run(kind="physical")
    embedded = embedded_store(tmp_path / "store.duckdb")
    rig.store = embedded
    with pytest.raises(InvalidParameter, match="kind=logical"):
        rig.run(kind="physical")
    embedded.close()
    assert rig.place.listed() == []


def test_a_token_that_is_no_operator_token_is_refused_before_anything_is_written(
    tmp_path: Path,
    influx: InfluxServer,
    store: InfluxStore,
) -> None:
    rig = BackupRig(tmp_path, store, open_physical=opener_of(influx, token="wrong"))
    with pytest.raises(StoreDenied, match="INFLUXDB_OPERATOR_TOKEN"):
        rig.run(kind="physical")
    assert rig.place.listed() == []


def test_a_server_without_physical_backups_is_not_asked_again(
    tmp_path: Path, influx: InfluxServer, store: InfluxStore
) -> None:
    with lying_link(influx.server.port) as liar:
        liar.lie = lambda path, answer: Answer(404, b'{"code":"not found","message":"path not found"}')
        rig = BackupRig(tmp_path, store, open_physical=opener_of(influx, url=liar.url))
        with pytest.raises(NotOffered, match="kind=logical") as refused:
            rig.run(kind="physical")
        assert not refused.value.retryable
    assert rig.place.listed() == []


class CutShards:
    """Answers for shards that are cut and then ended properly, the first `times` times."""

    def __init__(self, times: int, change: Callable[[bytes], bytes]) -> None:
        self.left = times
        self._change = change

    def __call__(self, path: str, answer: Answer) -> Answer:
        if "/backup/shards/" not in path or answer.status != 200 or not self.left:
            return answer
        self.left -= 1
        return answer.with_body(self._change(answer.body))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[: len(body) // 2],
        lambda body: body[:-1],
        lambda body: b"",
        lambda body: body[:100] + bytes([body[100] ^ 1]) + body[101:],
    ],
    ids=["half", "one byte", "nothing", "a bit"],
)
def test_shards_that_are_cut_on_the_way_are_downloaded_again(
    tmp_path: Path,
    influx: InfluxServer,
    store: InfluxStore,
    change: Callable[[bytes], bytes],
) -> None:
    bucket = filled_bucket(influx)
    with lying_link(influx.server.port) as liar:
        rig = BackupRig(tmp_path, store, open_physical=opener_of(influx, url=liar.url))
        liar.lie = CutShards(2, change)
        context = KeptContext()
        result = rig.run(context, kind="physical", buckets=[bucket])
    assert result["state"] == "complete"
    assert list(check_backup(rig.place.destination, rig.place.manifest(result["backup"]))) == []
    assert sum("is not whole" in line for level, line in context.lines if level == "warning") == 2


def test_a_shard_that_is_refused_for_a_moment_is_asked_again(
    tmp_path: Path,
    influx: InfluxServer,
    store: InfluxStore,
) -> None:
    """InfluxDB 2.9.1 answers 500 at times while it moves a shard's files."""
    bucket = filled_bucket(influx)
    refusals = [Answer(500, b'{"code":"internal error","message":"no"}')] * 2

    def lie(path: str, answer: Answer) -> Answer:
        return refusals.pop() if "/backup/shards/" in path and answer.status == 200 and refusals else answer

    with lying_link(influx.server.port) as liar:
        liar.lie = lie
        rig = BackupRig(tmp_path, store, open_physical=opener_of(influx, url=liar.url))
        assert rig.run(kind="physical", buckets=[bucket])["state"] == "complete"
    assert not refusals


def test_a_shard_that_stays_refused_is_missing_and_the_others_are_taken(
    tmp_path: Path,
    influx: InfluxServer,
    store: InfluxStore,
) -> None:
    """As InfluxDB 2.9.1 does with a shard whose snapshots it disabled, until it is started again."""
    bucket = filled_bucket(influx)
    refused: list[str] = []

    def lie(path: str, answer: Answer) -> Answer:
        if "/backup/shards/" not in path or answer.status != 200 or (refused and path not in refused):
            return answer
        refused.append(path)
        return Answer(500, b'{"code":"internal error","message":"no"}')

    with lying_link(influx.server.port) as liar:
        liar.lie = lie
        rig = BackupRig(
            tmp_path,
            store,
            limits=WorkLimits(concurrency=1),
            open_physical=opener_of(influx, url=liar.url),
        )
        result = rig.run(kind="physical", buckets=[bucket])
    assert (result["state"], result["buckets"][0]["shards"]) == ("partial", 2)
    [part] = result["missing"]
    assert (part["bucket"], part["range"]["start"]) == (bucket, "2024-10-04T00:00:00Z")
    assert "does not hand out the shard" in part["reason"]
    assert result["buckets"][0]["values"] == VALUES * 2 // 3


def test_shards_that_stay_cut_are_no_backup(tmp_path: Path, influx: InfluxServer, store: InfluxStore) -> None:
    bucket = filled_bucket(influx)
    with lying_link(influx.server.port) as liar:
        rig = BackupRig(tmp_path, store, open_physical=opener_of(influx, url=liar.url))
        liar.lie = CutShards(1000, lambda body: body[:-1])
        with pytest.raises(StoreBroken, match="not whole"):
            rig.run(kind="physical", buckets=[bucket])
    assert [backup.state for backup in rig.place.listed()] == [ListedState.UNFINISHED]


def test_a_link_that_breaks_is_asked_again(tmp_path: Path, influx: InfluxServer, store: InfluxStore) -> None:
    bucket = filled_bucket(influx)
    with bad_link(influx.server.port) as link:
        rig = BackupRig(tmp_path, store, open_physical=opener_of(influx, url=link.url))

        class Mending(KeptContext):
            def sleep(self, seconds: float) -> None:
                link.become(Toxic())

        context = Mending()
        link.become(Toxic(pass_bytes=9000, end=End.RESET))
        result = rig.run(context, kind="physical", buckets=[bucket])
    assert result["state"] == "complete"
    assert any(level == "warning" for level, _ in context.lines)


class Killed(BaseException):
    """The process is gone."""


def shards_of(liar: Liar) -> list[str]:
    return [path for path in liar.paths if "/backup/shards/" in path and not path.endswith("/0")]


def test_a_killed_backup_goes_on_and_downloads_no_finished_shard_again(
    tmp_path: Path,
    influx: InfluxServer,
    store: InfluxStore,
) -> None:
    bucket = filled_bucket(influx, days=6)
    with lying_link(influx.server.port) as liar:
        rig = BackupRig(
            tmp_path, store, limits=WorkLimits(concurrency=1), open_physical=opener_of(influx, url=liar.url)
        )

        class Dying(KeptContext):
            def progress(self, done: int, total: int | None, unit: str) -> None:
                if done == 3:
                    raise Killed

        first = Dying()
        with pytest.raises(Killed):
            rig.run(first, kind="physical", buckets=[bucket])
        assert [backup.state for backup in rig.place.listed()] == [ListedState.UNFINISHED]
        before = shards_of(liar)
        context = KeptContext()
        context.checkpoint = first.saved[-1]
        influx.write(bucket, f"m,host=late f=1 {(FIRST_DAY + 40) * DAY_NS}")
        result = rig.run(context, kind="physical", buckets=[bucket])
        again = shards_of(liar)[len(before) :]
    assert liar.paths.count("/api/v2/backup/metadata") == 1
    assert len(set(before) & set(again)) <= 1
    assert len({*before, *again}) == 6
    assert (result["backup"], result["state"]) == (first.saved[-1]["backup"], "complete")
    assert result["buckets"][0]["values"] == VALUES
    assert list(check_backup(rig.place.destination, rig.place.manifest(result["backup"]))) == []


def test_a_shard_that_expired_meanwhile_is_left_out_and_said(
    tmp_path: Path, influx: InfluxServer, store: InfluxStore
) -> None:
    bucket = filled_bucket(influx)
    gone: list[str] = []

    def lie(path: str, answer: Answer) -> Answer:
        if "/backup/shards/" not in path or answer.status != 200 or (gone and path not in gone):
            return answer
        gone.append(path)
        return Answer(404, b'{"code":"not found","message":"shard not found"}')

    with lying_link(influx.server.port) as liar:
        liar.lie = lie
        rig = BackupRig(
            tmp_path, store, limits=WorkLimits(concurrency=1), open_physical=opener_of(influx, url=liar.url)
        )
        context = KeptContext()
        result = rig.run(context, kind="physical", buckets=[bucket])
    shard_id = gone[0].rpartition("/")[2]
    assert (result["state"], result["buckets"][0]["shards"], result["buckets"][0]["values"]) == (
        "complete",
        2,
        VALUES * 2 // 3,
    )
    assert any(f"({shard_id}): they were gone" in line for _, line in context.lines)
    [shards, others] = rig.place.manifest(result["backup"]).not_covered
    assert (shards.what, shards.names, others.what) == ("shards", (shard_id,), "other buckets")


def test_the_rate_is_kept(tmp_path: Path, influx: InfluxServer, store: InfluxStore) -> None:
    bucket = filled_bucket(influx)
    rig = BackupRig(tmp_path, store, limits=WorkLimits(bytes_a_second=10_000), open_physical=opener_of(influx))
    context = KeptContext()
    result = rig.run(context, kind="physical", buckets=[bucket])
    assert sum(context.slept) > 1
    assert result["state"] == "complete"


def test_encrypted_files_hold_nothing_plain_and_decrypt_to_what_influx_restore_reads(
    tmp_path: Path,
    influx: InfluxServer,
    store: InfluxStore,
) -> None:
    bucket = filled_bucket(influx)
    rig = BackupRig(tmp_path, store, place={"passphrase": "a long passphrase"}, open_physical=opener_of(influx))
    result = rig.run(kind="physical", buckets=[bucket])
    names = {path.name for path in folder_of(rig, result).iterdir()} - {"started.json", "manifest.json"}
    assert {Path(name).suffix for name in names} == {".age"}
    manifest = rig.place.manifest(result["backup"])
    folder = rig.place.physical_folder(manifest)
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in folder.entries:
        if name != "key":
            (plain / name).write_bytes(b"".join(folder.read(name)))
    [written] = plain.glob("*.manifest")
    assert physical_manifest.read(written.read_bytes(), "x").files == folder.manifest().files
    copy = f"{bucket} again"
    run_influx(
        influx_cli(), influx, "restore", "--bucket", bucket, "--new-bucket", copy, "--org", influx.org, str(plain)
    )
    assert rows_of(influx, copy) == rows_of(influx, bucket)
