"""What a backup under way has finished, so that a run that goes on does not do it again: rows of the state database."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from service.jobs.backup.tables import backup_slices
from service.state.database import StateDatabase

T = TypeVar("T")


class FinishedFiles(Generic[T]):
    """Of one backup. A thing is noted after its file is durable. Threads may share it.

    `write` makes a JSON document of a thing, which `read` reads back; the second argument is its name.
    """

    def __init__(
        self,
        database: StateDatabase,
        place: str,
        backup_id: str,
        write: Callable[[T], Mapping[str, Any]],
        read: Callable[[Any, str], T],
    ) -> None:
        self._database = database
        self._write = write
        self._read = read
        self._key = {"place": place, "backup_id": backup_id}
        self._lock = threading.Lock()
        self._finished = self._known()

    def finished(self, file: str) -> T | None:
        """What is known of `file`, if it is finished."""
        with self._lock:
            return self._finished.get(file)

    def note(self, file: str, entry: T) -> None:
        """`file`: for slices the path in this backup, also where `entry` refers to an older one."""
        with self._database.write() as connection:
            connection.execute(sa.delete(backup_slices).where(self._is(), backup_slices.c.file == file))
            row = {**self._key, "file": file, "written": dict(self._write(entry))}
            connection.execute(sa.insert(backup_slices).values(row))
        with self._lock:
            self._finished[file] = entry

    def forget(self, file: str) -> None:
        """A file that turned out damaged is written again."""
        with self._database.write() as connection:
            connection.execute(sa.delete(backup_slices).where(self._is(), backup_slices.c.file == file))
        with self._lock:
            self._finished.pop(file, None)

    def clear(self) -> None:
        """The backup has its manifest, or was given up."""
        forget_backup(self._database, **self._key)

    def _known(self) -> dict[str, T]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(backup_slices).where(self._is())).all()
        return {row.file: self._read(row.written, row.file) for row in rows}

    def _is(self) -> sa.ColumnElement[bool]:
        return sa.and_(*(backup_slices.c[name] == value for name, value in self._key.items()))


def forget_backup(database: StateDatabase, place: str, backup_id: str) -> None:
    """Forget every file of a backup that has its manifest, or was given up."""
    of_backup = sa.and_(backup_slices.c.place == place, backup_slices.c.backup_id == backup_id)
    with database.write() as connection:
        connection.execute(sa.delete(backup_slices).where(of_backup))
