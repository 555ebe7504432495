"""`fluxgate backup download` and `upload`: whole backups as one tar, resumed after a break, checked at the end."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from fluxgate_client.answers import as_object, refused
from fluxgate_client.connections import http_options, translated
from fluxgate_client.errors import AnswerBroken, GatewayUnreachable
from fluxgate_client.requests import Request, segment
from fluxgate_client.transport import Transport
from service.archive.manifest import Manifest
from service.archive.received_tar import WrongBackupTar, received_backup
from service.archive.slice_files import measured_file
from service.console.connection import Key, Url, address_and_key, open_transport
from service.console.jobs import AsJson

PIECE_BYTES = 1024 * 1024
MOST_FRUITLESS_TRIES = 5
"""How often in a row a download may break without a byte more than before."""
_SILENCE_S = 600.0
"""A gateway that goes on in the middle of a large file reads its beginning first, to check it."""
BackupId = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or latest for the newest complete one of the gateway.")
]


def download(
    backup_id: BackupId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file. Default: ID.tar.")] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Download a backup as one tar, and check every file in it. Called again it goes on where it broke off."""
    with contextlib.closing(open_transport(url, key, _SILENCE_S)) as transport:
        source = _Source.of(transport, backup_id)
        target = output or Path(f"{source.backup_id}.tar")
        part = target.with_name(f".{target.name}.{source.etag_digits}.part")
        with _bar(f"download {source.backup_id}", source.size) as moved:
            _fetch(transport, source, part, moved)
    typer.echo(f"checking {part.stat().st_size:,} bytes", err=True)
    try:
        manifest = checked_tar(part)
    except WrongBackupTar as reason:
        part.unlink()
        typer.echo(f"What came is no whole backup, and was removed: {reason}. Download it again.", err=True)
        raise typer.Exit(1) from None
    part.replace(target)
    typer.echo(f"{target}: {manifest.backup_id} {manifest.state}, {len(manifest.entries)} files")


def upload(
    file: Annotated[Path, typer.Argument(help="A tar that `fluxgate backup download` wrote.", dir_okay=False)],
    new_id: Annotated[
        bool, typer.Option("--new-id", help="Give it a new id, also when another backup has its own.")
    ] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Upload a backup from elsewhere. It is listed only when all of it arrived and is as its manifest says."""
    request = Request("POST", "/backups/upload", [("new_id", "true")] if new_id else (), repeatable=False)
    with file.open("rb") as source, _bar(f"upload {file.name}", file.stat().st_size) as moved:
        backup = _sent(request, _pieces_of(source.fileno(), moved), file.stat().st_size, url, key)
    typer.echo(json.dumps(backup, indent=2) if as_json else f"{backup['id']} {backup['state']}")
    if not as_json:
        typer.echo(f"Check it with `fluxgate backup verify {backup['id']}`.", err=True)


def checked_tar(file: Path) -> Manifest:
    """The manifest of the backup in a tar, once every file in it was held against it. Raises WrongBackupTar."""
    with file.open("rb") as source:
        pieces = iter(lambda: source.read(PIECE_BYTES), b"")
        return received_backup(pieces, measured_file, file.stat().st_size)


class _Source:
    """A tar that the gateway offers. `etag` names its exact bytes."""

    def __init__(self, headers: httpx.Headers) -> None:
        self.backup_id = headers["Content-Disposition"].partition('filename="')[2].removesuffix('.tar"')
        self.size = int(headers["Content-Length"])
        self.etag = headers["ETag"]

    @classmethod
    def of(cls, transport: Transport, backup_id: str) -> "_Source":
        with transport.stream(Request("HEAD", _path(backup_id))) as answer:
            return cls(answer.headers)

    @property
    def etag_digits(self) -> str:
        return "".join(letter for letter in self.etag if letter.isalnum())[:16]


class _Moved:
    """Tells a bar how many bytes are there."""

    def __init__(self, progress: Progress, task: Any) -> None:  # noqa: ANN401  (rich's TaskID)
        self._progress = progress
        self._task = task

    def __call__(self, count: int) -> None:
        self._progress.update(self._task, completed=count)


@contextlib.contextmanager
def _bar(title: str, size: int) -> Iterator[_Moved]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, transient=True, disable=not os.isatty(2)) as progress:
        yield _Moved(progress, progress.add_task(title, total=size))


def _fetch(transport: Transport, source: _Source, part: Path, moved: _Moved) -> None:
    """Append to `part` until it has all bytes. Raises GatewayError when it goes no further."""
    fruitless = 0
    while (present := part.stat().st_size if part.exists() else 0) < source.size:
        try:
            _append(transport, source, part, present, moved)
        except (AnswerBroken, GatewayUnreachable):
            came = part.exists() and part.stat().st_size > present
            fruitless = 0 if came else fruitless + 1
            if fruitless == MOST_FRUITLESS_TRIES:
                raise


def _append(transport: Transport, source: _Source, part: Path, present: int, moved: _Moved) -> None:
    headers = {"Range": f"bytes={present}-", "If-Range": source.etag} if present else {}
    request = Request("GET", _path(source.backup_id), headers=headers)
    with transport.stream(request) as answer:
        if answer.headers["ETag"] != source.etag:
            raise AnswerBroken(f"The backup {source.backup_id} changed during its download. Begin again.")
        goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if goes_on else os.O_TRUNC), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            count = present if goes_on else 0
            for piece in answer.iter_raw(PIECE_BYTES):
                file.write(piece)
                count += len(piece)
                moved(count)
            file.flush()
            os.fsync(file.fileno())


def _sent(request: Request, pieces: Iterator[bytes], size: int, url: str | None, key: str | None) -> dict[str, Any]:
    """The answer to an upload. Raises GatewayError."""
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
    with httpx.Client(**http_options(*address_and_key(url, key), _SILENCE_S)) as client:
        with translated(request, client.base_url, begun=False):
            answer = client.request("POST", request.target, content=pieces, headers=headers)
        if not answer.is_success:
            raise refused(answer.status_code, answer.headers, answer.content, 0.0, str(answer.request.url))
        return as_object(request, answer.content)


def _pieces_of(descriptor: int, moved: _Moved) -> Iterator[bytes]:
    count = 0
    while piece := os.read(descriptor, PIECE_BYTES):
        yield piece
        count += len(piece)
        moved(count)


def _path(backup_id: str) -> str:
    return f"/backups/{segment(backup_id)}/download"
