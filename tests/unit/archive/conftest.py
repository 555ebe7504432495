"""Destinations to test with: a folder, and a bucket of a real S3 server."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.archive.object_storage import BucketAddress, ObjectStorage
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, S3Server, s3_server
from tests.support.servers import ServerMissing


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    try:
        with s3_server() as server:
            yield server
    except ServerMissing as missing:
        if os.environ.get("FLUXGATE_REQUIRE_SERVERS") == "1":
            pytest.fail(f"FLUXGATE_REQUIRE_SERVERS=1, and {missing}", pytrace=False)
        pytest.skip(f"server missing: {missing}")


def address(server: S3Server, bucket: str, prefix: str = "", **others: object) -> BucketAddress:
    keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "region": "us-east-1"}
    return BucketAddress(bucket, prefix=prefix, endpoint=server.url, timeout_s=5, **{**keys, **others})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "backups")


@pytest.fixture(params=["folder", "s3"])
def destination(request: pytest.FixtureRequest) -> Destination:
    if request.param == "folder":
        local: LocalFolder = request.getfixturevalue("folder")
        return local
    server: S3Server = request.getfixturevalue("s3")
    bucket = server.new_bucket(f"bucket-{secrets.token_hex(6)}")
    return ObjectStorage(address(server, bucket, prefix="plant a/backups"))
