"""A store and a place for backups in a folder of the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.stores.embedded.store import EmbeddedStore
from tests.support.backups import BackupRig
from tests.support.stores import embedded_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = embedded_store(tmp_path / "store.duckdb")
    yield opened
    opened.close()


@pytest.fixture
def rig(tmp_path: Path, store: EmbeddedStore) -> BackupRig:
    return BackupRig(tmp_path, store)
