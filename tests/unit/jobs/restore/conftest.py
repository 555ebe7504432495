"""A site with two buckets, backups, and a target."""

from pathlib import Path

import pytest

from tests.support.backup_site import (
    BackupSite,
    filled,
)
from tests.support.restores import TOKEN, URL, CountingStore
from tests.support.stores import embedded_store


@pytest.fixture
def site(tmp_path: Path) -> BackupSite:
    site = filled(BackupSite(tmp_path))
    site.environment[TOKEN] = "secret"
    site.targets[URL] = CountingStore(embedded_store(tmp_path / "target.duckdb"))
    return site
