"""What the real `influx backup` makes is read and found whole; our manifest of it suits the real `influx restore`."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.archive import physical_manifest
from service.archive.local_folder import LocalFolder
from service.archive.physical_files import check_physical
from service.archive.slice_files import write_slice
from service.domain.timerange import EVER
from tests.support.influx_cli import influx_cli, run_influx
from tests.support.sample_blocks import Row, block_of
from tests.support.servers import InfluxServer
from tests.unit.archive.sample_backups import DAY_1

MOST = 1_000_000_000


@pytest.fixture
def program() -> Path:
    return influx_cli()


def count(server: InfluxServer, bucket: str) -> int:
    query = f"from(bucket: {json.dumps(bucket)}) |> range(start: 0) |> group() |> count()"
    with server.http() as http:
        answer = http.post("/api/v2/query", json={"query": query, "type": "flux"}).raise_for_status().text
    rows = [line.split(",") for line in answer.splitlines() if line]
    return int(rows[1][-1]) if len(rows) > 1 else 0


@contextlib.contextmanager
def filled_bucket(server: InfluxServer) -> Iterator[str]:
    """A bucket with points in two shard groups."""
    bucket = server.new_bucket(shard_s=86_400)
    lines = [f"m,host=a\\ b f={place} {(20_000 + place % 2) * 86_400 + place}" for place in range(1000)]
    with server.http() as http:
        parameters = {"bucket": bucket, "precision": "s"}
        http.post("/api/v2/write", params=parameters, content="\n".join(lines)).raise_for_status()
    yield bucket


def test_a_backup_of_the_command_line_is_whole_and_our_manifest_of_it_restores(
    influx: InfluxServer,
    program: Path,
    tmp_path: Path,
) -> None:
    with filled_bucket(influx) as bucket:
        run_influx(program, influx, "backup", "--bucket", bucket, "--org", influx.org, str(tmp_path / "theirs"))
        [path] = (tmp_path / "theirs").glob("*.manifest")
        manifest = physical_manifest.read(path.read_bytes(), path.name)
        destination = LocalFolder(tmp_path)
        assert list(check_physical(destination, "theirs", manifest, MOST)) == []
        [entry] = manifest.buckets
        assert (entry.organization, entry.name, len(entry.shards)) == (influx.org, bucket, 2)
        ours = physical_manifest.written(manifest.kv, manifest.sql, [entry.document])
        assert json.loads(ours) == json.loads(path.read_bytes())
        path.write_bytes(ours)
        copy = f"{bucket} again"
        run_influx(
            program, influx, "restore", "--bucket", bucket, "--new-bucket", copy, "--org", influx.org, str(path.parent)
        )
        assert count(influx, copy) == count(influx, bucket) == 1000


def test_damages_of_a_real_backup_are_found(influx: InfluxServer, program: Path, tmp_path: Path) -> None:
    with filled_bucket(influx) as bucket:
        run_influx(program, influx, "backup", "--bucket", bucket, "--org", influx.org, str(tmp_path / "theirs"))
    [path] = (tmp_path / "theirs").glob("*.manifest")
    manifest = physical_manifest.read(path.read_bytes(), path.name)
    for file in manifest.files:
        place = tmp_path / "theirs" / file.name
        whole = place.read_bytes()
        for damaged in (whole[:-1], whole[:-100] + bytes(100), whole + whole, b""):
            place.write_bytes(damaged)
            [found] = check_physical(LocalFolder(tmp_path), "theirs", manifest, MOST)
            assert found.file == f"theirs/{file.name}"
        place.write_bytes(whole)
    assert list(check_physical(LocalFolder(tmp_path), "theirs", manifest, MOST)) == []


def test_a_slice_file_is_what_influx_write_reads(influx: InfluxServer, program: Path, tmp_path: Path) -> None:
    rows = [Row(DAY_1.start_ns + place, place / 7, "f", "m x", (("host", "a,b"),)) for place in range(500)]
    blocks = [block_of(rows[:200]), block_of(rows[200:])]
    folder = LocalFolder(tmp_path)
    entry = write_slice(folder, "00000001-20260131T000000Z", "slice.lp.gz", EVER, blocks).entry
    assert entry is not None
    bucket = influx.new_bucket()
    path = str(tmp_path / entry.path)
    run_influx(
        program, influx, "write", "--bucket", bucket, "--org", influx.org, "--compression", "gzip", "--file", path
    )
    assert count(influx, bucket) == 500
