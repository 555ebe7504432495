"""The list of features: what is wrong in it is an error of the start, and no other file knows a kind of job."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from service.settings import Settings
from service.wiring import assemble
from service.wiring.features import FEATURES
from tests.support.census import CENSUS

SERVICE = Path(__file__).parents[3] / "service"
GENERAL = ("config", "console", "runner", "state", "domain/backoff.py", "api/deps.py", "api/config.py", "wiring/jobs.py", "app.py", "cli.py")
"""What every kind of job shares. The example of a schedule names a mirror; it is no part of this."""


def settings(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=folder)  # type: ignore[call-arg]


def test_a_feature_and_its_kind_have_one_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="The feature 'counts' makes the kind 'census'"):
        assemble(settings(tmp_path), [replace(CENSUS, name="counts")])


def test_a_feature_is_listed_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'censuses' is registered already"):
        assemble(settings(tmp_path), [*FEATURES, CENSUS, CENSUS])


def test_what_all_kinds_share_names_none_of_them() -> None:
    files = [path for place in GENERAL for path in ([SERVICE / place] if place.endswith(".py") else (SERVICE / place).rglob("*.py"))]
    assert len(files) > 30
    names = re.compile("|".join(feature.name for feature in FEATURES), re.IGNORECASE)
    naming = [str(path.relative_to(SERVICE)) for path in files if "migrations" not in path.parts and names.search(path.read_text())]
    assert naming == []
