"""Whole backups over HTTP: downloaded in any parts, and uploaded to another gateway, which restores equal points."""

import hashlib
import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from service.api.deps import Parts
from service.archive.destination import Destination
from service.domain.access import Scope
from service.features.backup.commands import cli
from service.jobs.backup.kind_names import BACKUP
from service.jobs.backup.runnable import BackupRunnable
from tests.api.conftest import KEY, Served, fill
from tests.support.backup_site import flip
from tests.support.waiting import until


def done(client: httpx.Client, path: str, **order: object) -> dict[str, object]:
    """The result of a job."""
    job = client.post(path, json=order).raise_for_status().json()
    until(lambda: client.get(f"/jobs/{job['id']}").json()["state"] in ("succeeded", "failed", "cancelled"))
    ended = client.get(f"/jobs/{job['id']}").json()
    assert ended["state"] == "succeeded", ended
    return dict(ended["result"])


def destination_of(parts: Parts) -> Destination:
    return parts.kinds.runnable(BACKUP, BackupRunnable).place.destination


@pytest.fixture
def backed(serve: Callable[..., Served]) -> tuple[httpx.Client, Parts, str]:
    """A gateway with two backups, and the second's id."""
    client, parts = serve()
    fill(client, parts)
    done(client, "/backup/trigger")
    return client, parts, str(done(client, "/backup/trigger")["backup"])


def test_a_backup_goes_to_another_gateway_and_restores_to_equal_points(
    backed: tuple[httpx.Client, Parts, str], serve: Callable[..., Served]
) -> None:
    client, _, identity = backed
    tar = client.get(f"/backups/{identity}/download").raise_for_status().content
    other, _ = serve(max_body_mb=1, backup_hmac_key="a key of the other gateway")
    answer = other.post("/backups/upload", content=tar)
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/backups/{identity}")
    assert (answer.json()["id"], answer.json()["state"], answer.json()["uploaded"]) == (identity, "complete", True)
    (listed,) = other.get("/backups").json()["backups"]
    assert listed == answer.json()
    assert done(other, f"/backups/{identity}/restore")["state"] == "equal"
    read = {"window": "3h", "every": "raw"}
    rows = [each.get("/buckets/Power%20Consumption", params=read).text for each in (client, other)]
    assert rows[0] == rows[1] and rows[0].count("\n") > 700
    assert other.post("/backups/upload", content=tar).json()["code"] == "archive_file_exists"
    assert other.post("/backups/upload", content=tar, params={"new_id": "true"}).status_code == 201


def test_any_range_is_answered_and_names_the_whole(backed: tuple[httpx.Client, Parts, str]) -> None:
    client, _, identity = backed
    path = f"/backups/{identity}/download"
    whole = client.get(path)
    head = client.head(path)
    size, etag = len(whole.content), whole.headers["ETag"]
    for name in ("Content-Length", "ETag", "Content-Type", "Content-Disposition", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]
    assert (head.headers["Content-Length"], head.headers["Accept-Ranges"], head.content) == (str(size), "bytes", b"")
    for text, start, stop in (("0-0", 0, 1), ("700-1999", 700, 2000), ("1000-", 1000, size), ("-5", size - 5, size)):
        part = client.get(path, headers={"Range": f"bytes={text}", "If-Range": etag})
        assert (part.status_code, part.content) == (206, whole.content[start:stop])
        assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
    other_state = client.get(path, headers={"Range": "bytes=5-", "If-Range": '"1-another"'})
    assert (other_state.status_code, other_state.content) == (200, whole.content)
    assert client.get(path, headers={"Range": "bytes=0-1,4-5"}).status_code == 200
    behind = client.get(path, headers={"Range": f"bytes={size}-"})
    assert (behind.status_code, behind.json()["code"]) == (416, "range_not_satisfiable")
    assert behind.headers["Content-Range"] == f"bytes */{size}"
    assert client.get("/backups/latest/download").headers["ETag"] == etag


def test_a_damaged_file_breaks_the_connection_off(backed: tuple[httpx.Client, Parts, str]) -> None:
    client, parts, identity = backed
    destination = destination_of(parts)
    path = next(file.path for file in destination.files(identity) if file.path.endswith(".lp.gz"))
    flip(destination, path)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/backups/{identity}/download")
    destination.delete(path)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/backups/{identity}/download")


def test_a_client_that_leaves_frees_its_place(backed: tuple[httpx.Client, Parts, str]) -> None:
    client, _, identity = backed
    for _ in range(8):
        with client.stream("GET", f"/backups/{identity}/download"):
            pass
    until(lambda: client.get(f"/backups/{identity}/download").status_code == 200)


def test_it_needs_the_right_scopes(backed: tuple[httpx.Client, Parts, str]) -> None:
    client, parts, identity = backed
    key, _ = parts.keys.create("nightly", [Scope.BACKUP])
    assert client.get(f"/backups/{identity}/download", headers={"X-API-Key": key}).status_code == 403
    assert client.post("/backups/upload", content=b"x", headers={"X-API-Key": key}).status_code == 403
    assert client.get("/backups/00000009-20260101T000000Z/download").status_code == 404


def test_an_upload_has_bounds_of_its_own(serve: Callable[..., Served]) -> None:
    client, _ = serve(backup_max_upload_gb=1, body_silence_s=1)
    announced = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80)
    announced.putrequest("POST", "/backups/upload")
    for name, value in (("X-API-Key", KEY), ("Content-Length", str(2 * 10**9))):
        announced.putheader(name, value)
    announced.endheaders()
    refusal = announced.getresponse()
    assert refusal.status == 413 and b"BACKUP_MAX_UPLOAD_GB" in refusal.read()
    announced.close()
    packed = client.post("/backups/upload", content=b"x", headers={"Content-Encoding": "gzip"})
    assert (packed.status_code, packed.json()["code"]) == (400, "invalid_body")
    assert client.post("/backups/upload", content=b"x" * 2000).json()["code"] == "invalid_body"

    def silent() -> Iterator[bytes]:
        yield bytes(100)
        time.sleep(3)
        yield b""

    assert client.post("/backups/upload", content=silent()).json()["code"] == "body_timeout"
    assert client.get("/backups").json()["backups"] == []


def test_the_commands_resume_check_and_upload(
    backed: tuple[httpx.Client, Parts, str], serve: Callable[..., Served], tmp_path: Path
) -> None:
    client, _, identity = backed
    whole = client.get(f"/backups/{identity}/download")
    file = tmp_path / "b.tar"
    digits = "".join(letter for letter in whole.headers["ETag"] if letter.isalnum())[:16]
    part = tmp_path / f".b.tar.{digits}.part"
    part.write_bytes(whole.content[:1500])

    def run(*words: str, to: httpx.Client = client) -> str:
        result = CliRunner().invoke(cli, [*words, "--url", str(to.base_url), "--key", KEY])
        assert result.exit_code == 0, result.output
        return result.output

    run("download", "latest", "-o", str(file))
    assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(whole.content).digest()
    assert not part.exists()
    other, _ = serve()
    assert f"{identity} complete" in run("upload", str(file), to=other)
    part.write_bytes(bytes(1500))
    broken = CliRunner().invoke(
        cli, ["download", identity, "-o", str(file), "--url", str(client.base_url), "--key", KEY]
    )
    assert broken.exit_code == 1 and "Download it again" in broken.output
    assert not part.exists() and file.read_bytes() == whole.content
