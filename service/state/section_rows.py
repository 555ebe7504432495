"""Rows of runtime configuration: a name, a version and a value that `service.config` has checked."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from service.errors import VersionConflict
from service.state.database import StateDatabase
from service.state.tables import configuration


class SectionRows:
    """Reads and replaces rows. Every method raises NotReady while the database does not answer."""

    def __init__(self, database: StateDatabase) -> None:
        self._database = database

    def read(self, section: str) -> tuple[int, dict[str, Any]] | None:
        """Version and value of a section. None: it was never set."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(configuration).where(configuration.c.section == section)).first()
        return None if row is None else (int(row.version), dict(row.value))

    def replace(self, section: str, value: Mapping[str, Any], changed_at: float, expected_version: int | None) -> int:
        """Store `value`. Returns its version. Raises VersionConflict: `expected_version` is not the present one."""
        try:
            return self._replaced(section, value, changed_at, expected_version)
        except sa.exc.IntegrityError:  # another process has just made the first version: now there is a row to lock
            return self._replaced(section, value, changed_at, expected_version)

    def _replaced(self, section: str, value: Mapping[str, Any], changed_at: float, expected_version: int | None) -> int:
        """Replace under a lock: PostgreSQL locks the row, and SQLite, which has no FOR UPDATE, the file."""
        present = sa.select(configuration.c.version).where(configuration.c.section == section).with_for_update()
        with self._database.write() as connection:
            stored = connection.execute(present).scalar()
            version = int(stored or 0)
            if expected_version is not None and expected_version != version:
                finding = f"The section {section!r} is at version {version}, not {expected_version}"
                raise VersionConflict(f"{finding}: somebody changed it. Read it again.", version=version)
            row = {"version": version + 1, "value": dict(value), "changed_at": changed_at}
            if stored is None:
                connection.execute(sa.insert(configuration).values(section=section, **row))
            else:
                connection.execute(sa.update(configuration).where(configuration.c.section == section).values(row))
        return version + 1
