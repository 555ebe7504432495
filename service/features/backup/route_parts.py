"""What several routes of backups share."""

from typing import Annotated

from fastapi import Path, Request

from service.api.deps import parts_of
from service.jobs.backup.kind_names import BACKUP
from service.jobs.backup.runnable import BackupRunnable

BackupId = Annotated[
    str,
    Path(max_length=100, description="The backup, as `GET /backups` names it.", examples=["00000012-20260131T235900Z"]),
]


def backups_of(request: Request) -> BackupRunnable:
    """The backups of the gateway that answers."""
    return parts_of(request).kinds.runnable(BACKUP, BackupRunnable)
