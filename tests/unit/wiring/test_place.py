"""A coordinate without the other one is said at the start."""

from pathlib import Path
from typing import Any

import pytest
import structlog

from service.config.coordinates import COORDINATES
from service.config.store import ConfigStore
from service.settings import Settings
from service.state.database import StateDatabase
from service.wiring.reads import warn_of_half_place


@pytest.mark.parametrize(
    ("settings", "section", "words"),
    [
        ({"latitude": 52.5}, {}, "LATITUDE is known and LONGITUDE is not"),
        ({"longitude": 13.4}, {}, "LONGITUDE is known and LATITUDE is not"),
        ({}, {"latitude": 52.5}, "PUT /config/coordinates"),
        ({"latitude": 52.5}, {"longitude": 13.4}, None),
        ({"latitude": 52.5, "longitude": 13.4}, {}, None),
        ({}, {}, None),
    ],
)
def test_one_coordinate_alone_is_warned_of(
    tmp_path: Path, settings: dict[str, float], section: dict[str, Any], words: str | None
) -> None:
    state = StateDatabase.in_directory(tmp_path)
    state.migrate()
    config = ConfigStore(state, lambda: 0.0)
    config.register(COORDINATES)
    if section:
        config.put("coordinates", section)
    with structlog.testing.capture_logs() as lines:
        warn_of_half_place(Settings.model_construct(**{"latitude": None, "longitude": None, **settings}), config)
    state.close()
    assert len(lines) == (words is not None)
    assert words is None or (words in lines[0]["event"] and lines[0]["log_level"] == "warning")
