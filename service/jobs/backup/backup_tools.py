"""What every part of a backup needs besides the data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.archive.encryption import Encrypter
from service.archive.manifest import OtherFile
from service.jobs.backup.pace import Pace
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.slice_progress import SliceProgress
from service.jobs.protocol import JobContext
from service.transfer.retry import Retrying
from service.transfer.run_log import Log


@dataclass(frozen=True)
class BackupTools:
    """What the backup of every bucket uses.

    `previous_copies`: the Parquet files of the backup before, by `numberless` path. `concurrency`: slices at one time.
    """

    place: BackupPlace
    backup_id: str
    encrypter: Encrypter | None
    job: JobContext
    retry: Retrying
    progress: SliceProgress
    pace: Pace
    log: Log
    concurrency: int
    parquet: bool
    previous_copies: Mapping[str, OtherFile] = field(default_factory=dict)


def numberless(file: str) -> str:
    """The path of a Parquet copy without the number of its bucket, which differs from backup to backup."""
    folder, _, name = file.rpartition("/")
    return f"{folder}/{name.partition('-')[2]}"
