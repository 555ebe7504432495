"""Opens the place of the backups that the settings name."""

from pathlib import Path

from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.archive.object_storage import BucketAddress, ObjectStorage
from service.errors import ConfigurationError, InvalidParameter
from service.settings import Settings

_GATEWAY_FILES = ("state.db", "store.duckdb")
"""Files by which the data directory of a gateway is recognized."""


def archive_destination(settings: Settings) -> Destination:
    """The place of the backups. Raises ConfigurationError when it cannot be used, or belongs to another gateway."""
    if settings.backup_s3_bucket is not None:
        return _object_storage(settings, settings.backup_s3_bucket)
    folder = settings.backup_dir or settings.data_dir / "backups"
    _refuse_data_of_another_gateway(folder, settings.data_dir)
    return LocalFolder(folder)


def _object_storage(settings: Settings, bucket: str) -> Destination:
    access_key, secret_key = settings.backup_s3_access_key, settings.backup_s3_secret_key
    if access_key is None or secret_key is None:
        raise ConfigurationError("BACKUP_S3_BUCKET needs BACKUP_S3_ACCESS_KEY and BACKUP_S3_SECRET_KEY.")
    try:
        return ObjectStorage(
            BucketAddress(
                bucket,
                settings.backup_s3_region,
                access_key.get_secret_value(),
                secret_key.get_secret_value(),
                settings.backup_s3_endpoint,
                settings.backup_s3_prefix,
            )
        )
    except InvalidParameter as wrong:
        raise ConfigurationError(f"BACKUP_S3_PREFIX: {wrong.message}") from None


def _refuse_data_of_another_gateway(folder: Path, data_dir: Path) -> None:
    """Raises ConfigurationError. Two gateways that share a folder would manage each other's backups."""
    data_directory = data_dir.resolve()
    resolved = folder.resolve()
    for candidate in (resolved, *resolved.parents):
        if candidate != data_directory and any((candidate / name).exists() for name in _GATEWAY_FILES):
            raise ConfigurationError(
                f"BACKUP_DIR {folder} lies in {candidate}, which is the data directory of another gateway."
                " Name a folder that is this gateway's alone.",
            )
