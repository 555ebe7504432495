"""The parts of paths that several routes of backups have."""

from typing import Annotated

from fastapi import Path

BackupId = Annotated[
    str,
    Path(max_length=100, description="The backup, as `GET /backups` names it.", examples=["00000012-20260131T235900Z"]),
]
