"""The slices that a backup under way has finished, so that a run that goes on does not read them again."""

from service.archive.manifest import SliceFile
from service.archive.manifest_document import slice_document, slice_of
from service.jobs.backup.finished_files import FinishedFiles
from service.state.database import StateDatabase


class SliceProgress(FinishedFiles[SliceFile]):
    """Of one backup. A slice is noted after its file is durable. Threads may share it."""

    def __init__(self, database: StateDatabase, place: str, backup_id: str) -> None:
        super().__init__(database, place, backup_id, slice_document, slice_of)
