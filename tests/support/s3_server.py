"""A real S3 server for tests: versitygw over a temporary folder, private to one run of the tests."""

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from service.archive.object_storage import BucketAddress
from tests.support.servers import (
    START_WITHIN_S,
    STOP_WITHIN_S,
    Server,
    ServerBroken,
    ServerMissing,
    cache_folder,
    free_port,
)

ACCESS_KEY = "test-access"
SECRET_KEY = "test-secret-key"
PINS = Path(__file__).parents[1] / "servers" / "s3" / "go.mod"


@dataclass(frozen=True)
class S3Server:
    """`files` is the folder whose folders are the buckets."""

    url: str
    files: Path
    server: Server

    def new_bucket(self, name: str) -> str:
        (self.files / name).mkdir()
        return name

    def address(self, bucket: str, prefix: str = "", timeout_s: float = 5, **others: Any) -> BucketAddress:
        """The bucket with the server's key pair; `others` replace members."""
        keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "region": "us-east-1", **others}
        return BucketAddress(bucket, prefix=prefix, endpoint=self.url, timeout_s=timeout_s, **keys)

    def kill(self) -> None:
        """End the server at once. Its buckets stay, for `restart`."""
        self.server.process.kill()
        self.server.process.wait(STOP_WITHIN_S)

    def restart(self) -> None:
        """Start it again, at the same address and with the same buckets."""
        self.server.process = _launched(self.server.folder, self.files, self.server.port)
        _wait(self.server)


def versitygw_program() -> Path:
    pinned = re.search(r"^\s*github\.com/versity/versitygw v(\S+)", PINS.read_text(), re.MULTILINE)
    if pinned is None:
        raise ServerMissing(f"{PINS} pins no versitygw")
    version = pinned[1]
    program = cache_folder() / "bin" / f"versitygw-{version}"
    if not program.is_file():
        raise ServerMissing(f"versitygw is not at {program}: run `make servers`")
    return program


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with one key pair. Its folder is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    files, port = folder / "buckets", free_port()
    files.mkdir()
    server = Server("versitygw", port, folder, _launched(folder, files, port))
    try:
        _wait(server)
        yield S3Server(f"http://127.0.0.1:{port}", files, server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _launched(folder: Path, files: Path, port: int) -> subprocess.Popen[bytes]:
    keys = ["--access", ACCESS_KEY, "--secret", SECRET_KEY]
    command = [str(versitygw_program()), *keys, "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(files)]
    with (folder / "log").open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)


def _wait(server: Server) -> None:
    log = server.folder / "log"
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise ServerBroken(f"versitygw ended: {log.read_text()[-500:]}")
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{server.port}/", timeout=2)
            return
        time.sleep(0.05)
    raise ServerBroken(f"versitygw does not answer: {log.read_text()[-500:]}")
