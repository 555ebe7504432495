"""Runtime configuration: sections that are registered, each with a version, a check and an example."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from service.config.coordinates import COORDINATES
from service.config.section import Section
from service.config.store import ConfigStore, Versioned
from service.errors import InvalidParameter, NotFound, VersionConflict
from service.state.database import StateDatabase


@pytest.fixture
def config(tmp_path: Path) -> ConfigStore:
    database = StateDatabase.in_directory(tmp_path)
    database.migrate()
    store = ConfigStore(database, lambda: 1.0)
    store.register(COORDINATES)
    return store


def test_a_section_never_set_is_version_0_with_its_defaults(config: ConfigStore) -> None:
    assert config.get("coordinates") == Versioned(0, {"latitude": None, "longitude": None})


def test_each_change_is_a_version_and_a_stale_one_conflicts(config: ConfigStore) -> None:
    assert config.put("coordinates", {"latitude": 1}, expected_version=0) == Versioned(
        1, {"latitude": 1.0, "longitude": None}
    )
    assert config.put("coordinates", {"longitude": 2}).version == 2
    with pytest.raises(VersionConflict, match="at version 2, not 1"):
        config.put("coordinates", {}, expected_version=1)
    assert config.get("coordinates") == Versioned(2, {"latitude": None, "longitude": 2.0})


@pytest.mark.parametrize(
    "value",
    [{"latitude": 90.1}, {"latitude": "north"}, {"longitude": -181}, {"altitude": 1}, {"latitude": float("nan")}],
)
def test_a_value_that_does_not_fit_is_named(config: ConfigStore, value: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter) as refused:
        config.put("coordinates", value)
    assert refused.value.parameter in value


def test_unknown_sections_are_named_with_those_that_are(config: ConfigStore) -> None:
    for act in (lambda: config.get("nothing"), lambda: config.put("nothing", {})):
        with pytest.raises(NotFound, match="coordinates"):
            act()


class Shifts(BaseModel):
    first: str = "06:00"


def test_a_section_that_is_registered_later_is_there_at_once(config: ConfigStore) -> None:
    with pytest.raises(NotFound, match=r"no section 'shifts'. There are: coordinates\."):
        config.get("shifts")
    config.register(Section("shifts", Shifts, {"first": "05:30"}))
    assert config.get("shifts") == Versioned(0, {"first": "06:00"})
    assert [section.name for section in config.sections] == ["coordinates", "shifts"]


def test_a_name_is_taken_once(config: ConfigStore) -> None:
    with pytest.raises(ValueError, match="'coordinates' is registered already"):
        config.register(Section("coordinates", Shifts, {}))
    assert config.get("coordinates").value == {"latitude": None, "longitude": None}


@pytest.mark.parametrize("name", ["", "Shifts", "shifts/night", "night shifts", "a" * 65])
def test_a_section_has_a_name_that_fits_its_row_and_its_address(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a section"):
        Section(name, Shifts, {})


def test_the_example_of_the_coordinates_fits(config: ConfigStore) -> None:
    assert config.put("coordinates", COORDINATES.example).value == {"latitude": 52.52, "longitude": 13.405}


def test_a_misspelt_member_is_answered_with_the_member_that_was_meant(config: ConfigStore) -> None:
    with pytest.raises(InvalidParameter, match=r"no such member \(did you mean longitude or latitude\?\)\."):
        config.put("coordinates", {"longitud": 13.4})
