"""Runtime configuration: named sections, each with a version, so that two editors do not overwrite each other."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import InvalidParameter, NotReady, UnknownThing, VersionConflict
from service.state.database import StateDatabase
from service.state.redaction import restore_hidden
from service.state.tables import configuration
from service.state.validation_errors import wrong_members


class Coordinates(BaseModel):
    """Where the telemetry is from, in degrees. They win over LATITUDE and LONGITUDE; null leaves them to those."""

    model_config = ConfigDict(extra="forbid")

    latitude: float | None = Field(None, ge=-90, le=90, strict=True, allow_inf_nan=False)
    longitude: float | None = Field(None, ge=-180, le=180, strict=True, allow_inf_nan=False)


SECTIONS: Mapping[str, type[BaseModel]] = {"coordinates": Coordinates}


@dataclass(frozen=True)
class Versioned:
    """A section's value. Version 0: never set."""

    version: int
    value: dict[str, Any]


class ConfigStore:
    """Reads and writes sections. `clock` gives seconds since 1970. `outage_s`: how long a section's last value may stand in for it."""

    def __init__(
        self, database: StateDatabase, clock: Callable[[], float], sections: Mapping[str, type[BaseModel]] = SECTIONS, outage_s: float = 0.0
    ) -> None:
        self._database = database
        self._clock = clock
        self._sections = sections
        self._outage_s = outage_s
        self._last_known: dict[str, tuple[float, Versioned]] = {}

    def get(self, section: str) -> Versioned:
        """Raises UnknownThing."""
        model = self._model(section)
        with self._database.read() as connection:
            row = connection.execute(sa.select(configuration).where(configuration.c.section == section)).first()
        found = Versioned(0, model().model_dump(mode="json")) if row is None else Versioned(row.version, dict(row.value))
        self._last_known[section] = (self._clock(), found)
        return found

    def get_or_last_known(self, section: str) -> Versioned:
        """As `get`; while the database does not answer, what it said last, when that is at most `outage_s` ago. Raises NotReady."""
        try:
            return self.get(section)
        except NotReady:
            at, found = self._last_known.get(section, (-math.inf, None))
            if found is None or not 0 <= self._clock() - at < self._outage_s:
                raise
            return found

    def put(self, section: str, value: Mapping[str, Any], expected_version: int | None = None) -> Versioned:
        """Replace a section. `expected_version`: the one that was read; another one there now is a conflict.

        A secret that reads `***` stays what it is.

        Raises:
            InvalidParameter: the value does not fit the section. VersionConflict. UnknownThing.
        """
        checked = self._checked(section, restore_hidden(value, self.get(section).value))
        try:
            return self._replaced(section, checked, expected_version)
        except sa.exc.IntegrityError:  # another process made the first version in between: now there is a row to lock
            return self._replaced(section, checked, expected_version)

    def _replaced(self, section: str, checked: dict[str, Any], expected_version: int | None) -> Versioned:
        """One editor at a time: PostgreSQL locks the row (SQLite, which knows no FOR UPDATE, the file)."""
        present = sa.select(configuration.c.version).where(configuration.c.section == section).with_for_update()
        with self._database.write() as connection:
            found = connection.execute(present).scalar()
            version = int(found or 0)
            if expected_version is not None and expected_version != version:
                raise VersionConflict(
                    f"The section {section!r} is at version {version}, not {expected_version}: somebody changed it. Read it again.",
                    version=version,
                )
            row = {"version": version + 1, "value": checked, "changed_at": self._clock()}
            if found is None:
                connection.execute(sa.insert(configuration).values(section=section, **row))
            else:
                connection.execute(sa.update(configuration).where(configuration.c.section == section).values(row))
        return Versioned(version + 1, checked)

    def _checked(self, section: str, value: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._model(section).model_validate(dict(value)).model_dump(mode="json")
        except ValidationError as broken:
            place, reason = wrong_members(broken)[0]
            where = place or section
            raise InvalidParameter(where, f"{where} in section {section!r}: {reason}.") from None

    def _model(self, section: str) -> type[BaseModel]:
        if section not in self._sections:
            raise UnknownThing(f"There is no section {section!r}. There are: {', '.join(sorted(self._sections))}.")
        return self._sections[section]
