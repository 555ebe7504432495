"""Whole backups over HTTP: downloaded as one tar, whole or from any byte on, and uploaded from elsewhere."""

import hashlib
import threading
from collections.abc import Generator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from service.api.auth import requires
from service.api.body_stream import BodyStream
from service.api.byte_ranges import UnsatisfiableRange, requested_range
from service.api.file_response import FileResponse
from service.api.head_requests import wants_head
from service.api.problem_schema import PROBLEM
from service.api.problems import problem
from service.api.store_calls import call_store
from service.api.thread_pools import ThreadPool
from service.archive.backup_tar import BackupTar
from service.archive.catalog import ListedBackup
from service.archive.manifest import BackupKind
from service.domain.access import Principal, Scope
from service.errors import ClientDisconnected, Forbidden, RetryLater
from service.features.backup.route_parts import BackupId, backups_of
from service.features.backup.schemas import BackupInfo, backup_info
from service.jobs.backup.choosing import chosen_backup
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.proofs import Proof
from service.shares import Reserve, Shares, share_of_key

router = APIRouter(tags=["backup"], responses={"default": PROBLEM})
MEDIA_TYPE = "application/x-tar"
_LAYOUT = "1"
"""Part of the ETag: another layout of the tar has other bytes for the same manifest."""
_MOST_DOWNLOADS, _MOST_UPLOADS = 4, 2
_downloads = Shares(_MOST_DOWNLOADS, share_of_key(_MOST_DOWNLOADS, Reserve.HALF))
_READERS = ThreadPool("files of the backups", _MOST_DOWNLOADS)
_UPLOADERS = ThreadPool("uploads of backups", _MOST_UPLOADS)
_TAR = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_UPLOAD = {"requestBody": {"required": True, "content": _TAR}}
_DOWNLOADED = {
    200: {"description": "The whole tar.", "content": _TAR},
    206: {"description": "The range of the tar that was asked for.", "content": _TAR},
}
_NEW_ID = "true: give it a new id, also when its own is free or taken by another backup."


@router.get(
    "/backups/{backup_id}/download",
    summary="Download a backup",
    response_class=Response,
    responses=_DOWNLOADED,  # type: ignore[arg-type]
)
async def read_backup_tar(
    request: Request,
    backup_id: BackupId,
    range_: Annotated[
        str | None, Header(alias="Range", description="One range of bytes.", examples=["bytes=1048576-"])
    ] = None,
    if_range: Annotated[
        str | None, Header(description="The ETag of the earlier answer: another state is answered whole.")
    ] = None,
    principal: Principal = requires(Scope.RESTORE),
) -> Response:
    """The backup as one tar with every file that it needs, those in older backups too, and the manifest last.

    A range of bytes goes on with a download that broke off. A damaged file breaks the connection off. Every point of
    every bucket in the backup is in the tar, so it needs the scope of a restore.
    """
    place = backups_of(request).place
    is_admin = principal.may(Scope.ADMIN)
    tar_name, tar = await call_store(_READERS, principal, lambda: _tar(place, backup_id, is_admin))
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Disposition": f'attachment; filename="{tar_name}.tar"',
        "Accept-Ranges": "bytes",
        "ETag": f'"{_LAYOUT}-{hashlib.sha256(tar.manifest).hexdigest()}"',
    }
    if wants_head(request):
        return Response(headers={**headers, "Content-Length": str(tar.size)})
    try:
        span = requested_range(request, tar.size, headers["ETag"])
    except UnsatisfiableRange:
        answer = problem(request, 416, "range_not_satisfiable", f"The tar has {tar.size} bytes: ask for some of them.")
        answer.headers["Content-Range"] = f"bytes */{tar.size}"
        return answer
    return await _answer(principal, place, tar, span, headers)


@router.post("/backups/upload", summary="Upload a backup", status_code=201, openapi_extra=_UPLOAD)
async def upload_backup(
    request: Request,
    response: Response,
    new_id: Annotated[bool, Query(description=_NEW_ID)] = False,
    principal: Principal = requires(Scope.ADMIN),
) -> BackupInfo:
    """Take a tar that `GET /backups/{id}/download` of any gateway gave. It is listed once every file was checked.

    It keeps its id where that number is free here, else it gets a new one. A backup that is here already is refused.
    """
    backups = backups_of(request)
    uploads = backups.uploads
    body = BodyStream(request, uploads.most_bytes, "BACKUP_MAX_UPLOAD_GB")
    act = partial(uploads.receive, body.pieces(), new_id)
    manifest = await call_store(_UPLOADERS, principal, act)
    response.headers["Location"] = f"/backups/{manifest.backup_id}"
    return backup_info(ListedBackup.of(manifest, uploaded=True), Proof())


async def _answer(
    principal: Principal,
    place: BackupPlace,
    tar: BackupTar,
    span: tuple[int, int] | None,
    headers: dict[str, str],
) -> Response:
    """The first bytes are read before the status is sent, so that a missing file has a proper status."""
    start, stop = span or (0, tar.size)
    left = threading.Event()
    pieces = _pieces(tar, place, start, stop, left)
    if _downloads.take(principal.id) is not None:
        raise RetryLater("Too many backups are being downloaded. Ask again when one has ended.", 30)
    try:
        first = await call_store(_READERS, principal, lambda: next(pieces, b""))
    except BaseException:
        _downloads.give_back(principal.id)
        raise
    headers["Content-Length"] = str(stop - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{tar.size}"
    ended = partial(_downloads.give_back, principal.id)
    return FileResponse(200 if span is None else 206, headers, first, pieces, left.set, ended)


def _pieces(tar: BackupTar, place: BackupPlace, start: int, stop: int, left: threading.Event) -> Generator[bytes]:
    def check() -> None:
        if left.is_set():
            raise ClientDisconnected("The client disconnected.")

    yield from tar.pieces(place.destination, start, stop, check)


def _tar(place: BackupPlace, backup_id: str, is_admin: bool) -> tuple[str, BackupTar]:
    """The tar, and the id of its backup. A physical backup holds the server's tokens. Raises Forbidden."""
    manifest = chosen_backup(place, backup_id, lambda *_line: None)
    if manifest.kind is BackupKind.PHYSICAL and not is_admin:
        raise Forbidden("A physical backup holds every token of its server: downloading it needs the scope admin.")
    return manifest.backup_id, BackupTar(manifest, place.key)
