"""The list of features: what is wrong in it is an error of the start, and no other file knows a kind of job."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings
from service.wiring import assemble
from service.wiring.features import FEATURES
from tests.support.census import CENSUS

SERVICE = Path(__file__).parents[3] / "service"
FOLDERS = ("config", "console", "runner", "state")
FILES = (
    "domain/backoff.py",
    "api/deps.py",
    "api/config.py",
    "wiring/__init__.py",
    "wiring/jobs.py",
    "app.py",
    "cli.py",
)
"""With FOLDERS: what every kind of job shares. The example of a schedule names a mirror; it is no part of this."""


def settings(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=folder)  # type: ignore[call-arg]


def test_a_feature_is_listed_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'censuses' is registered already"):
        assemble(settings(tmp_path), [*FEATURES, CENSUS, CENSUS])


def test_a_start_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    """Another process can have the embedded store's file at once."""
    with pytest.raises(ValueError, match="registered already"):
        assemble(settings(tmp_path), [CENSUS, CENSUS])
    opening = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"
    opened = subprocess.run([sys.executable, "-c", opening, tmp_path / "store.duckdb"], capture_output=True, timeout=60)
    assert opened.returncode == 0, opened.stderr


def test_what_all_kinds_share_names_none_of_them() -> None:
    files = [SERVICE / name for name in FILES] + [path for name in FOLDERS for path in (SERVICE / name).rglob("*.py")]
    assert len(files) > 30
    names = re.compile("|".join(feature.name for feature in FEATURES), re.IGNORECASE)
    present = [path for path in files if "migrations" not in path.parts]
    assert [str(path.relative_to(SERVICE)) for path in present if names.search(path.read_text())] == []
