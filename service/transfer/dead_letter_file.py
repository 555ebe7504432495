"""The dead-letter file of a mirror: every value or line that the target cannot take, with the reason, a JSON object a line.

A point that is refused again is written again: the file tells what happened, and may be removed at any time.
"""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_MOST_BYTES = 100_000_000
"""A fuller file is put aside once; the one put aside before is removed."""


class DeadLetters:
    """The file of one mirror, in `directory`."""

    def __init__(self, directory: Path, mirror: str) -> None:
        self.path = directory / f"rejects-{mirror}.ndjson"
        self._lock = threading.Lock()

    def add(self, letters: Iterable[Mapping[str, Any]]) -> None:
        """Append, and be sure that it is on the disk."""
        text = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in letters)
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
