"""The file of dead letters: every value or line that a target cannot take, with the reason, one JSON object per line.

A point that is refused again is written again: the file says what happened, and may be removed at any time.
"""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_MOST_BYTES = 100_000_000
"""A fuller file is renamed to `.old.ndjson`; the one renamed before is removed."""


class DeadLetterFile:
    """Dead letters at `path`. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, letters: Iterable[Mapping[str, Any]]) -> None:
        """Append, and be sure that it is on the disk."""
        text = "".join(f"{json.dumps(letter, ensure_ascii=False)}\n" for letter in letters)
        if not text:
            return
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size > _MOST_BYTES:
                self.path.replace(self.path.with_suffix(".old.ndjson"))
            with self.path.open("a", encoding="utf-8", errors="surrogatepass") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
