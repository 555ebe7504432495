"""Makes a backup of a folder that the real `influx backup` wrote, once it was copied or uploaded into the place.

Every file is checked first. Files are linked where the place can, else copied; the folder itself stays as it is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from service import __version__
from service.archive import catalog, physical_manifest
from service.archive.backup_ids import sequence_of
from service.archive.destination import Destination
from service.archive.encryption import Encrypter
from service.archive.manifest import BackupKind, BackupState, BucketBackup, Manifest, NotCovered, OtherFile
from service.archive.physical_buckets import is_system, metadata_of
from service.archive.physical_files import MOST_UNPACKED_BYTES, content_checks, damage_of
from service.archive.physical_manifest import LARGEST_MANIFEST_BYTES, PhysicalManifest
from service.archive.slice_files import measured_file, write_protected
from service.domain.durations import SECOND_NS
from service.domain.job import Json
from service.domain.timerange import EVER
from service.errors import BackupDamaged, InvalidParameter
from service.jobs.backup.kind_names import ADOPT
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.report import backup_result
from service.jobs.parameters import refuse_unknown
from service.jobs.protocol import JobContext
from service.transfer.run_control import RunControl

SERVER = "influxdb (by influx backup)"
_MANIFEST = ".manifest"
_NO_COUNTS = NotCovered("counts", (), "`influx backup` counts nothing, so that no restore of it can be compared")


def adopt(place: BackupPlace, folder: str, now_ns: int, control: RunControl) -> Manifest:
    """The new backup. `folder`: its path in the place.

    Raises, with nothing written: InvalidParameter (no such folder, or one that is a backup already), BackupDamaged.
    ArchiveError, JobInterrupted.
    """
    destination = place.destination
    name, plain = _plain_manifest(destination, folder)
    for file, check in content_checks(plain):
        control.check()
        damage = damage_of(destination, f"{folder}/{file.name}", file, check, MOST_UNPACKED_BYTES)
        if damage is not None:
            raise damage
    backup_id = catalog.begin(destination, now_ns)
    key_pair = place.key_pair(backup_id, None)
    copier = _Copier(destination, folder, backup_id, place.encrypter(key_pair), control)
    files = [copier.taken(file.name) for file in plain.files]
    content = physical_manifest.written(plain.kv, plain.sql, [bucket.document for bucket in plain.buckets])
    files.append(copier.written(name, content))
    if key_pair is not None:
        files.append(place.key_file(backup_id, key_pair))
    manifest = Manifest(
        backup_id=backup_id,
        kind=BackupKind.PHYSICAL,
        state=BackupState.COMPLETE,
        tool_version=__version__,
        server=SERVER,
        created_ns=min(_begun_ns(name), now_ns),
        finished_ns=now_ns,
        comment=f"adopted from {folder}"[:500],
        recipients=() if key_pair is None else (key_pair.recipient,),
        buckets=_buckets(plain),
        files=tuple(files),
        not_covered=(_NO_COUNTS,),
    )
    control.check()
    catalog.finish(destination, manifest, place.key)
    return manifest


def _plain_manifest(destination: Destination, folder: str) -> tuple[str, PhysicalManifest]:
    """The name of the newest manifest, and what all of the folder say together."""
    if sequence_of(folder) is not None:
        raise InvalidParameter("folder", f"{folder} is a folder of Fluxgate's own: restore it by its id.")
    paths = [file.path for file in destination.files(folder) if file.path.endswith(_MANIFEST)]
    own = [path for path in paths if path.count("/") == folder.count("/") + 1]
    if not own:
        raise InvalidParameter(
            "folder",
            f"{destination.name} has no folder {folder[:200]!r} with a *.manifest of `influx backup`: copy it there.",
        )
    manifests = [(path.rpartition("/")[2], _read(destination, path)) for path in own]
    return max(name for name, _ in manifests), physical_manifest.newest(manifests)


def _read(destination: Destination, path: str) -> PhysicalManifest:
    size = destination.size(path) or 0
    if size > LARGEST_MANIFEST_BYTES:
        raise BackupDamaged(path, f"it is larger than {LARGEST_MANIFEST_BYTES} bytes")
    return physical_manifest.read(b"".join(destination.read(path)), path)


def _begun_ns(name: str) -> int:
    """When a backup began by the name of its manifest, as in 20260131T235900Z.manifest; 0 for another name."""
    try:
        begun = datetime.strptime(name.removesuffix(_MANIFEST), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(begun.timestamp()) * SECOND_NS


def _buckets(plain: PhysicalManifest) -> tuple[BucketBackup, ...]:
    """Each name once: two organizations may have a bucket of one name."""
    named = {bucket.name: bucket for bucket in plain.buckets if not is_system(bucket.name)}
    return tuple(BucketBackup(metadata_of(bucket.document), EVER) for bucket in named.values())


class _Copier:
    """Takes files of a folder into a backup."""

    def __init__(
        self,
        destination: Destination,
        folder: str,
        backup_id: str,
        encrypter: Encrypter | None,
        control: RunControl,
    ) -> None:
        self._destination = destination
        self._folder = folder
        self._backup_id = backup_id
        self._encrypter = encrypter
        self._control = control

    def taken(self, name: str) -> OtherFile:
        """A file of the folder, linked where files are not encrypted and the place can."""
        source, path = f"{self._folder}/{name}", f"{self._backup_id}/{name}"
        self._control.check()
        if self._encrypter is None and self._destination.link(source, path):
            return measured_file(self._backup_id, name, self._watched(self._destination.read(path)))
        return self._copied(name, self._destination.read(source))

    def written(self, name: str, content: bytes) -> OtherFile:
        return self._copied(name, [content])

    def _copied(self, name: str, pieces: Iterable[bytes]) -> OtherFile:
        return write_protected(self._destination, self._backup_id, name, pieces, self._encrypter)

    def _watched(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._control.check()
            yield piece


class AdoptRunnable:
    """The job `backup_adopt`: makes a backup of a folder that `influx backup` wrote. `clock`: seconds since 1970."""

    def __init__(self, place: BackupPlace, clock: Callable[[], float]) -> None:
        self._place = place
        self._clock = clock

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return ADOPT

    def validate(self, parameters: Mapping[str, Any]) -> None:
        refuse_unknown("An adoption", parameters, ("folder",))
        if not isinstance(parameters.get("folder"), str) or not parameters["folder"]:
            raise InvalidParameter("folder", "folder is the path of a folder in the place of backups.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        return backup_result(adopt(self._place, parameters["folder"], int(self._clock() * 1e9), context))
