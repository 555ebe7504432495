"""What was not stored: a few of the lines for the screen, all of them in a file.

The file is line protocol: a comment with the line's number and the reason, then the line itself where there is one.
Whoever mends it can import it as it is.
"""

from collections.abc import Iterable
from pathlib import Path

from service.fileformats.pieces import Reject

MOST_SHOWN = 20


class Rejects:
    """The file appears with the first reject. `kept_bytes`: what is in it from an import that this one goes on with."""

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        self.path = path
        self.shown: list[Reject] = []
        self.size_bytes = kept_bytes
        """The length of the file so far. What is behind it, of an import that was killed, is written over."""

    def add(self, rejects: Iterable[Reject]) -> None:
        entries = []
        for reject in rejects:
            if len(self.shown) < MOST_SHOWN:
                self.shown.append(reject)
            entries.append(_entry(reject))
        if entries:
            self._write(b"".join(entries))

    def _write(self, text: bytes) -> None:
        with self.path.open("r+b" if self.size_bytes and self.path.exists() else "wb") as file:
            self.size_bytes = min(self.size_bytes, file.seek(0, 2))
            file.truncate(self.size_bytes)
            file.seek(self.size_bytes)
            file.write(text)
            self.size_bytes += len(text)


def _entry(reject: Reject) -> bytes:
    reason = " ".join(reject.reason.split())
    line = f"{reject.text}\n" if reject.text else ""
    return f"# line {reject.line}: {reason}\n{line}".encode("utf-8", "surrogateescape")
