"""The signs of life that a process gives while it runs: a row in the state database, and a file for probes."""

import contextlib
from pathlib import Path

import structlog

from service.errors import NotReady
from service.runner.loop import Loop
from service.runner.signs import give_sign, remove_forgotten, sign_file
from service.state.processes import BEAT_EVERY_S, Process, ProcessStore

_log = structlog.get_logger(__name__)


class Heartbeat:
    """Gives signs of life, from `start` to `stop`. `folder`: where its file goes; None: it needs no file."""

    def __init__(
        self, store: ProcessStore, process: Process, folder: Path | None, *, every_s: float = BEAT_EVERY_S
    ) -> None:
        self._store = store
        self._process = process
        self._file = None if folder is None else sign_file(folder, process.role)
        self._loop = Loop("heartbeat", self._beat, every_s)

    def start(self) -> None:
        """The file is there when it returns."""
        if self._file is not None:
            remove_forgotten(self._file.parent)
            self._touch(self._file)
        self._loop.start()

    def stop(self) -> None:
        """End the signs. Where the database does not answer, the process is missed only after a while."""
        self._loop.stop()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)
        try:
            self._store.leave(self._process)
        except NotReady as refused:
            _log.warning("the end of this process is not noted", process=self._process.name, reason=refused.message)

    def _beat(self) -> None:
        if self._file is not None:
            self._touch(self._file)
        self._store.beat(self._process)

    @staticmethod
    def _touch(file: Path) -> None:
        try:
            give_sign(file)
        except OSError as broken:
            _log.warning("probes cannot see this process", file=str(file), reason=broken.strerror)
