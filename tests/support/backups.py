"""A gateway's backups without the gateway: a place, a store, and the job `backup` run in the test's thread."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.domain.job import Json
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.runnable import BackupRunnable
from service.state.database import StateDatabase
from service.stores.protocol import Store
from tests.support.clock import Clock
from tests.support.mirrors import KeptContext

NOW_S = 1_704_110_400.0
"""2024-01-01T12:00:00Z."""


class BackupRig:
    """Runs backups of `store` into `place`. `now_s` is the clock of the jobs."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        destination: Destination | None = None,
        place: Mapping[str, Any] | None = None,
        limits: WorkLimits | None = None,
    ) -> None:
        self.clock = Clock(NOW_S)
        self.store = store
        self.state = StateDatabase.in_directory(folder)
        self.state.migrate()
        self.place = BackupPlace(destination or LocalFolder(folder / "backups"), **(place or {}))
        self.limits = limits or WorkLimits()
        self.started = 0

    @property
    def runnable(self) -> BackupRunnable:
        return BackupRunnable(self.place, self.store, self.state, self.limits, self.clock, self._count_start)

    def run(self, context: KeptContext | None = None, **parameters: Any) -> Json:
        """The result of a job with these parameters."""
        runnable = self.runnable
        runnable.validate(parameters)
        return runnable.run(parameters, context or KeptContext())

    def pass_days(self, days: float) -> None:
        self.clock.now += days * 86_400

    def _count_start(self) -> None:
        self.started += 1


def values_of(result: Json) -> dict[str, int]:
    """How many values the backup has of each bucket."""
    return {bucket["name"]: bucket["values"] for bucket in result["buckets"]}
