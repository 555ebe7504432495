"""Destinations to test with: a folder, and a bucket of a real S3 server."""

import secrets
from pathlib import Path

import pytest

from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.archive.object_storage import ObjectStorage
from tests.support.s3_server import S3Server


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
    return ObjectStorage(server.address(bucket, prefix="plant a/backups"))
