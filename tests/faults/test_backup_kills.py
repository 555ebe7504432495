"""Backups whose processes are killed a hundred times, and whose disk is full: none is called complete that is not.

Every check is shown to fail on the bug that it is there for, planted into the process.
"""

import random
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.archive.catalog import ListedState
from service.archive.checking import check_backup
from service.archive.manifest import Manifest
from service.domain.durations import parse_duration
from service.domain.endpoint import Endpoint
from service.domain.job import Job, JobState
from service.domain.timerange import EVER
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.proofs import Outcome, ProofStore
from service.jobs.backup.tables import backup_slices
from service.jobs.restore.runnable import RestoreRunnable
from service.jobs.restore.target import RestoreRules
from service.stores.opener import OpenStore
from service.stores.protocol import Store
from tests.support.backup_process import LARGEST_FILE, POINTS, BackupSite
from tests.support.jobs import BUG, POINT
from tests.support.mirrors import OWN, KeptContext
from tests.support.rows import Row, read
from tests.support.servers import InfluxServer
from tests.support.stores import embedded_store
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)

DAY_NS = parse_duration("1d", "day")
LANES, KILLS = 4, 25
"""So many processes at a time, each killed so often: a hundred in all."""
OFTEN = ("read", "writing", "durable", "linked", "noting")
UNNOTICED_S = 60.0
Acknowledged = dict[int, int]
"""When a point was acknowledged, by its time (both in ns)."""


@pytest.fixture
def site(influx: InfluxServer, tmp_path: Path) -> BackupSite:
    return filled(BackupSite(tmp_path, influx))


def filled(site: BackupSite) -> BackupSite:
    """Both buckets have values of all five types on eight days until now."""
    chance, now_ns = random.Random(1), time.time_ns()
    times = [now_ns - number * DAY_NS // 10 + chance.randrange(10**9) for number in range(1, 80)]
    for bucket in (site.still, site.late):
        site.influx.write(bucket, "".join(line(time_ns) for time_ns in times))
    return site


def line(time_ns: int) -> str:
    number = time_ns % 1000
    return f'm,host=h f={number / 3},i={number}i,u={number}u,b={number % 2 == 0},s="text {number}" {time_ns}\n'


@contextmanager
def late_points(site: BackupSite, seed: int) -> Iterator[Acknowledged]:
    """Meanwhile points come in: late ones, old ones into slices that are backed up already, and future ones."""
    acknowledged, done = Acknowledged(), threading.Event()
    writing = threading.Thread(target=_write, args=(site, random.Random(seed), acknowledged, done), name="late points")
    writing.start()
    try:
        yield acknowledged
    finally:
        done.set()
        writing.join(30)


def _write(site: BackupSite, chance: random.Random, acknowledged: Acknowledged, done: threading.Event) -> None:
    while not done.wait(0.2):
        now_ns = time.time_ns()
        add_points(site, acknowledged, now_ns - chance.randrange(60 * 10**9), now_ns - 5 * DAY_NS, now_ns + DAY_NS)


def add_points(site: BackupSite, acknowledged: Acknowledged, *times: int) -> None:
    site.influx.write(site.late, "".join(line(time_ns) for time_ns in times))
    acknowledged.update(dict.fromkeys(times, time.time_ns()))


def must_be_honest(site: BackupSite, checked: set[str]) -> None:
    """What is listed as complete is, and at most the newest backup, which goes on, is unfinished.

    `checked`: backups whose files were read before. Raises AssertionError.
    """
    for position, backup in enumerate(site.place.listed()):
        if backup.manifest is None:
            assert (backup.state, position) == (ListedState.UNFINISHED, 0), f"{backup.backup_id} is left over"
        elif backup.backup_id not in checked:
            findings = list(check_backup(site.destination, backup.manifest))
            assert not findings, f"{backup.backup_id} is called {backup.state}, and is not: {findings}"
            checked.add(backup.backup_id)


def must_be_exact(site: BackupSite, acknowledged: Acknowledged, **environment: str) -> None:
    """A last backup ends; then all promises about all backups hold. Raises AssertionError."""
    last = site.run(**environment)
    assert {job.state for job in site.jobs()} == {JobState.SUCCEEDED}
    must_be_honest(site, set())
    must_be_tidy(site)
    repeated = site.repeated_reads()
    for job in site.jobs():
        allowed = (job.fence - 1) * site.concurrency
        assert repeated[job.id] <= allowed, f"{repeated[job.id]} slices are read twice, and {allowed} may be"
    source = {bucket: read(site.store, bucket, EVER) for bucket in (site.still, site.late)}
    for backup in site.place.listed():
        assert backup.manifest is not None
        must_restore(site, backup.manifest, source, acknowledged)
    assert last.result is not None
    newest = site.place.manifest(last.result["backup"])
    counts = {bucket.metadata.name: sum(entry.digest.count for entry in bucket.slices) for bucket in newest.buckets}
    assert counts == {bucket: len(rows) for bucket, rows in source.items()}


def must_be_tidy(site: BackupSite) -> None:
    """Nothing but the files of finished backups lies in the place, and nothing about tries in the state."""
    root, listed = site.folder / "backups", site.place.listed()
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    claims = {f"claims/{backup.sequence:08d}" for backup in listed}
    markers = {f"{backup.backup_id}/{name}" for backup in listed for name in ("started.json", "manifest.json")}
    entries = {entry.path for backup in listed if backup.manifest for entry in backup.manifest.entries}
    assert files == claims | markers | entries, f"left over or missing: {files ^ (claims | markers | entries)}"
    assert {backup.backup_id for backup in listed} == {job.result["backup"] for job in site.jobs() if job.result}
    proofs = ProofStore(site.state, site.place.name).all()
    verifications = [proofs[backup.backup_id].verification for backup in listed]
    assert {verification and verification.outcome for verification in verifications} == {Outcome.INTACT}
    with site.state.read() as connection:
        assert connection.execute(sa.select(backup_slices)).all() == []


def must_restore(
    site: BackupSite, manifest: Manifest, source: dict[str, list[Row]], acknowledged: Acknowledged
) -> None:
    """The backup restores to equal digests; every point is there that was acknowledged before it began."""
    target = embedded_store(site.folder / f"{manifest.backup_id}-{secrets.token_hex(3)}.duckdb")
    try:
        assert restored(site, target, manifest)["state"] == "equal"
        assert read(target, site.still, EVER) == source[site.still]
        rows = read(target, site.late, EVER)
    finally:
        target.close()
    lacking = {row.time_ns for row in source[site.late]} - {row.time_ns for row in rows}
    lost = [time_ns for time_ns in lacking if acknowledged.get(time_ns, 0) < manifest.created_ns]
    assert not lost, f"{len(lost)} points are older than {manifest.backup_id} and not in it"
    assert rows == [row for row in source[site.late] if row.time_ns not in lacking]


def restored(site: BackupSite, target: Store, manifest: Manifest) -> dict[str, object]:
    @contextmanager
    def open_store(endpoint: Endpoint) -> Iterator[OpenStore]:
        yield OpenStore(target, lambda: 0)

    runnable = RestoreRunnable(site.place, open_store, RestoreRules(OWN), WorkLimits(), time.time)
    return runnable.run({"backup": manifest.backup_id}, KeptContext())


def kill_at_point(site: BackupSite, point: str) -> None:
    """Run jobs until the process dies there."""
    with site.process(**{POINT: point}) as running:

        def died() -> bool:
            site.keep_busy()
            return running.ended_by() == signal.SIGKILL

        until(died, UNNOTICED_S)


def kill_at_random(site: BackupSite, chance: random.Random) -> None:
    """Kill the process some time after it took up the job."""
    site.keep_busy()
    before = site.jobs()[0].fence
    with site.process() as running:
        until(lambda: site.jobs()[0].fence > before, UNNOTICED_S)
        time.sleep(chance.uniform(0.0, 0.3))
        running.kill()


def killed_over_and_over(site: BackupSite, lane: int) -> Acknowledged:
    """Half of the kills at random moments, half at named points; which points came in meanwhile."""
    chance, checked = random.Random(lane), set[str]()
    with late_points(site, lane) as acknowledged:
        for number in range(KILLS):
            if number % 2:
                kill_at_random(site, chance)
            else:
                point = POINTS[(number // 2 + 3 * lane) % len(POINTS)]
                kill_at_point(site, f"{point}:{chance.randint(1, 3 if point in OFTEN else 1)}")
            must_be_honest(site, checked)
    return acknowledged


def test_after_a_hundred_kills_every_backup_that_is_called_complete_restores(
    influx: InfluxServer, tmp_path: Path
) -> None:
    sites = [filled(BackupSite(tmp_path / str(lane), influx, 2 if lane == 3 else 1)) for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as lanes:
        late = list(lanes.map(killed_over_and_over, sites, range(LANES)))
        list(lanes.map(must_be_exact, sites, late))
    jobs = [job for site in sites for job in site.jobs()]
    assert sum(job.fence - 1 for job in jobs) >= LANES * KILLS // 2, "most kills hit a job that went on"
    assert min(len(acknowledged) for acknowledged in late) > 20


def test_files_of_a_bucket_that_is_gone_meanwhile_are_removed(influx: InfluxServer, site: BackupSite) -> None:
    gone = influx.new_bucket("! first of all")
    influx.write(gone, line(time.time_ns()))
    site.order(buckets=[gone, site.still, site.late])
    kill_at_point(site, "durable:4")
    with influx.http() as http:
        found = http.get("/api/v2/buckets", params={"name": gone}).json()["buckets"][0]
        http.delete(f"/api/v2/buckets/{found['id']}").raise_for_status()
    job = site.run()
    assert job.state is JobState.SUCCEEDED
    must_be_tidy(site)


def kill_once(site: BackupSite, point: str, **environment: str) -> None:
    site.order()
    with site.process(**{POINT: point, **environment}) as running:
        until(running.ended_by, UNNOTICED_S)


def test_that_check_sees_a_manifest_that_is_written_before_the_files(site: BackupSite) -> None:
    kill_once(site, "manifest:1", **{BUG: "manifest first"})
    with pytest.raises(AssertionError, match="is called complete, and is not"):
        must_be_honest(site, set())
    with pytest.raises(AssertionError, match="is called complete, and is not"):
        must_be_exact(site, {})


def test_that_check_sees_a_slice_that_is_noted_before_its_file_is_durable(site: BackupSite) -> None:
    kill_once(site, "noted:3", **{BUG: "noted first"})
    with pytest.raises(AssertionError, match="is called complete, and is not"):
        must_be_exact(site, {}, **{BUG: "noted first"})


def test_a_noted_slice_whose_file_is_not_there_is_found_by_reading_back(site: BackupSite) -> None:
    kill_once(site, "noted:3", **{BUG: "noted first"})
    with site.process():
        until(lambda: site.jobs()[0].state.ended, UNNOTICED_S)
    failed = site.jobs()[0]
    assert failed.state is JobState.FAILED
    assert "cannot be read back" in str(failed.error)
    assert [backup.state for backup in site.place.listed()] == [ListedState.FAILED]
    site.queue.retry(failed.id, "test")
    with site.process():
        until(lambda: site.jobs()[0].state is JobState.SUCCEEDED, UNNOTICED_S)
    must_be_exact(site, {})


def test_that_check_sees_a_slice_that_is_taken_over_although_its_count_changed(site: BackupSite) -> None:
    acknowledged = Acknowledged()
    site.run()
    add_points(site, acknowledged, time.time_ns() - 5 * DAY_NS)
    with pytest.raises(AssertionError, match=r"1 points are older than .* and not in it"):
        must_be_exact(site, acknowledged, **{BUG: "counts ignored"})


def test_that_check_sees_slices_that_are_read_again(site: BackupSite) -> None:
    kill_once(site, "durable:6")
    with pytest.raises(AssertionError, match="slices are read twice, and 1 may be"):
        must_be_exact(site, {}, **{BUG: "forgetful"})


def test_that_check_sees_what_a_killed_try_left(site: BackupSite) -> None:
    kill_once(site, "writing:2")
    with pytest.raises(AssertionError, match=r"left over or missing: .*\.part-"):
        must_be_exact(site, {}, **{BUG: "untidy"})


def test_a_full_disk_fails_the_job_with_path_and_reason_and_harms_no_earlier_backup(site: BackupSite) -> None:
    earlier = site.run()
    day = time.time_ns() // DAY_NS * DAY_NS - 30 * DAY_NS
    large = "".join(f'm,host=h s="{secrets.token_urlsafe(150)}" {day + number}\n' for number in range(20_000))
    site.influx.write(site.late, large)
    failed = site.run(**{LARGEST_FILE: "2000000"})
    assert failed.state is JobState.FAILED
    assert_names_path_and_reason(site, failed)
    root = site.folder / "backups"
    assert not list(root.rglob(".part-*"))
    listed = site.place.listed()
    assert [backup.state for backup in listed] == [ListedState.FAILED, ListedState.COMPLETE]
    assert earlier.result is not None
    assert list(check_backup(site.destination, site.place.manifest(earlier.result["backup"]))) == []
    with_room = site.run()
    assert with_room.state is JobState.SUCCEEDED
    assert with_room.result is not None
    source = {bucket: read(site.store, bucket, EVER) for bucket in (site.still, site.late)}
    must_restore(site, site.place.manifest(with_room.result["backup"]), source, {})


def assert_names_path_and_reason(site: BackupSite, failed: Job) -> None:
    assert failed.error is not None
    folder = site.place.listed()[0]
    message = str(failed.error["message"])
    assert f"Writing {site.folder}/backups/{folder.backup_id}/" in message
    assert "failed: File too large." in message
    assert folder.reason == message
