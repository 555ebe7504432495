"""The slices that a backup under way has finished, so that a run that goes on does not read them again."""

import threading

import sqlalchemy as sa

from service.archive.manifest import SliceFile
from service.archive.manifest_document import slice_document, slice_of
from service.jobs.backup.tables import backup_slices
from service.state.database import StateDatabase


class SliceProgress:
    """Of one backup. A slice is noted after its file is durable. Threads may share it."""

    def __init__(self, database: StateDatabase, place: str, backup_id: str) -> None:
        self._database = database
        self._key = {"place": place, "backup_id": backup_id}
        self._lock = threading.Lock()
        self._finished = self._known()

    def finished(self, file: str) -> SliceFile | None:
        """The slice whose own file in this backup is `file`, if it is finished."""
        with self._lock:
            return self._finished.get(file)

    def note(self, file: str, entry: SliceFile) -> None:
        """`file`: the slice's path in this backup, also where `entry` refers to an older one."""
        with self._database.write() as connection:
            connection.execute(sa.delete(backup_slices).where(self._is(), backup_slices.c.file == file))
            row = {**self._key, "file": file, "written": slice_document(entry)}
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
        with self._database.write() as connection:
            connection.execute(sa.delete(backup_slices).where(self._is()))

    def _known(self) -> dict[str, SliceFile]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(backup_slices).where(self._is())).all()
        return {row.file: slice_of(row.written, row.file) for row in rows}

    def _is(self) -> sa.ColumnElement[bool]:
        return sa.and_(*(backup_slices.c[name] == value for name, value in self._key.items()))
