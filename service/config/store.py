"""Runtime configuration for the rest of the service: sections by name, each with a version.

Two editors do not overwrite each other: who names a version that is no longer the present one has a conflict.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from service.config.redaction import restore_hidden
from service.config.section import Section
from service.config.validation_errors import wrong_members
from service.errors import InvalidParameter, NotFound, NotReady
from service.state.database import StateDatabase
from service.state.section_rows import SectionRows


@dataclass(frozen=True)
class Versioned:
    """The value of a section, and its version. Version 0: the section was never set."""

    version: int
    value: dict[str, Any]


class ConfigStore:
    """Reads and writes the registered sections. Thread-safe.

    `clock` gives seconds since 1970. `outage_s`: how long a section's last value may be used while the database does
    not answer.
    """

    def __init__(self, database: StateDatabase, clock: Callable[[], float], outage_s: float = 0.0) -> None:
        self._rows = SectionRows(database)
        self._clock = clock
        self._outage_s = outage_s
        self._lock = threading.Lock()
        self._sections: dict[str, Section] = {}
        self._last_known: dict[str, tuple[float, Versioned]] = {}

    def register(self, section: Section) -> None:
        """Make `section` known. Raises ValueError when its name is taken."""
        with self._lock:
            if section.name in self._sections:
                raise ValueError(f"The section {section.name!r} is registered already. Give one of them another name.")
            self._sections[section.name] = section

    @property
    def sections(self) -> Sequence[Section]:
        """All sections, in the order of their registration."""
        with self._lock:
            return list(self._sections.values())

    def get(self, name: str) -> Versioned:
        """The present value of a section. Raises NotFound, NotReady."""
        section = self._section(name)
        row = self._rows.read(name)
        stored = (
            Versioned(0, section.model().model_dump(mode="json", by_alias=True)) if row is None else Versioned(*row)
        )
        with self._lock:
            self._last_known[name] = (self._clock(), stored)
        return stored

    def get_or_last_known(self, name: str) -> Versioned:
        """As `get`. While the database does not answer: its last answer, if that is at most `outage_s` old.

        Raises NotFound, NotReady.
        """
        try:
            return self.get(name)
        except NotReady:
            with self._lock:
                read_at, last_known = self._last_known.get(name, (-math.inf, None))
            if last_known is None or not 0 <= self._clock() - read_at < self._outage_s:
                raise
            return last_known

    def put(self, name: str, value: Mapping[str, Any], expected_version: int | None = None) -> Versioned:
        """Replace a section. `expected_version`: the version that the editor read.

        A secret that reads `***` keeps its stored value.

        Raises:
            InvalidParameter: the value does not fit the section.
            VersionConflict: the present version is another one.
            NotFound, NotReady.
        """
        checked = self._checked(self._section(name), restore_hidden(value, self.get(name).value))
        return Versioned(self._rows.replace(name, checked, self._clock(), expected_version), checked)

    @staticmethod
    def _checked(section: Section, value: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return _members(section.model.model_validate(dict(value)))
        except ValidationError as broken:
            member, reason = wrong_members(broken, section.model)[0]
            place = member or section.name
            raise InvalidParameter(place, f"{place} in section {section.name!r}: {reason}.") from None

    def _section(self, name: str) -> Section:
        with self._lock:
            section, names = self._sections.get(name), sorted(self._sections)
        if section is None:
            raise NotFound(f"There is no section {name!r}. There are: {', '.join(names)}.")
        return section


def _members(value: BaseModel) -> dict[str, Any]:
    """A section as it is stored and shown: under the names in which it is written."""
    return value.model_dump(mode="json", by_alias=True)
