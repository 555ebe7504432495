"""What was not stored: a few of the lines for the screen, all of them in a file.

The file is line protocol: a comment with the line's number and the reason, then the line itself where there is one.
Whoever mends it can import it as it is.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from service.fileformats.pieces import Reject

MOST_SHOWN = 20


class Rejects:
    """The file appears with the first reject. `kept_bytes`: what is in it from an import that this one goes on with."""

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        self.path = path
        self.shown: list[Reject] = []
        self._file: BinaryIO | None = None
        self._kept_bytes = kept_bytes

    @property
    def size_bytes(self) -> int:
        """The length of the file so far."""
        return self._kept_bytes if self._file is None else self._file.tell()

    def add(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            if len(self.shown) < MOST_SHOWN:
                self.shown.append(reject)
            self._open().write(_entry(reject))

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO:
        if self._file is None:
            if self._kept_bytes and self.path.exists():
                self._file = self.path.open("r+b")
                self._file.truncate(self._kept_bytes)
                self._file.seek(0, 2)
            else:
                self._file = self.path.open("wb")
        return self._file


def _entry(reject: Reject) -> bytes:
    reason = " ".join(reject.reason.split())
    line = f"{reject.text}\n" if reject.text else ""
    return f"# line {reject.line}: {reason}\n{line}".encode("utf-8", "surrogateescape")
