"""Where an import goes on after an interruption: a small file under the user's cache, one per import.

An import is known by what it does: the content of the file (size, and digests of its beginning and its end), the
gateway, the bucket and the way in which the file is read. The file is replaced as a whole, so a kill leaves the old or
the new one. What it says was acknowledged by the gateway before.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from service.fileformats.pieces import Position

_SAMPLE_BYTES = 1024 * 1024
_VERSION = 1


@dataclass
class Progress:
    """What is done: up to which position, and the counts up to there. `begun_ns`: the time of lines without one."""

    begun_ns: int
    position: Position = field(default_factory=Position)
    stored: int = 0
    rejected: int = 0
    empty_rows: int = 0
    rejects_bytes: int = 0
    """The length of the file of rejects."""


class StateFile:
    """The state of one import. Without a `path` nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def load(self) -> Progress | None:
        """What an import like this one has done; None when it is not known, or cannot be read."""
        if self._path is None:
            return None
        try:
            document = json.loads(self._path.read_text())
            if document.pop("version") != _VERSION:
                return None
            position = Position(**document.pop("position"))
            return Progress(position=position, **document)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def save(self, progress: Progress) -> None:
        if self._path is None:
            return
        document = {"version": _VERSION, **asdict(progress)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(document))
        part.replace(self._path)

    def remove(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where states are kept: under XDG_CACHE_HOME, else under ~/.cache."""
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "fluxgate" / "imports"


def state_file(folder: Path, file: Path, **conditions: Any) -> StateFile:  # noqa: ANN401  (whatever repr tells apart)
    """The state of the import of `file` under these conditions."""
    digest = hashlib.sha256(f"{file.stat().st_size}".encode())
    with file.open("rb") as opened:
        digest.update(opened.read(_SAMPLE_BYTES))
        opened.seek(max(file.stat().st_size - _SAMPLE_BYTES, 0))
        digest.update(opened.read(_SAMPLE_BYTES))
    digest.update(repr(sorted(conditions.items())).encode())
    return StateFile(folder / f"{digest.hexdigest()[:32]}.json")
