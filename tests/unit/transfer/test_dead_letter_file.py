"""The file of dead letters: one line each, whatever it holds, and never without a limit."""

import errno
import os
from pathlib import Path

import pytest

from service.transfer.dead_letter_file import DeadLetterFile


def test_each_is_a_line_whatever_it_holds(tmp_path: Path) -> None:
    letters = DeadLetterFile(tmp_path / "new" / "rejects-m.ndjson")
    letters.add([{"value": "line\nfeed 🌡️"}, {"value": "half \ud83c"}])
    letters.add([])
    letters.add([{"value": 3}])
    text = letters.path.read_text(encoding="utf-8", errors="surrogatepass")
    assert text == '{"value": "line\\nfeed 🌡️"}\n{"value": "half \ud83c"}\n{"value": 3}\n'


def test_a_file_that_is_full_is_put_aside_once(tmp_path: Path) -> None:
    letters = DeadLetterFile(tmp_path / "rejects-m.ndjson")
    with letters.path.open("wb") as file:
        file.truncate(100_000_001)
    letters.add([{"value": 1}])
    assert letters.path.read_text() == '{"value": 1}\n'
    assert (tmp_path / "rejects-m.old.ndjson").stat().st_size == 100_000_001


def test_the_folders_of_the_file_are_made(tmp_path: Path) -> None:
    path = tmp_path / "data" / "mirror" / "dead.ndjson"
    letters = DeadLetterFile(path)
    letters.add([])
    assert not path.parent.exists()
    letters.add([{"time_ns": 1, "reason": "größer"}])
    letters.add([{"time_ns": 2}])
    assert path.read_text() == '{"time_ns": 1, "reason": "größer"}\n{"time_ns": 2}\n'


def test_what_cannot_be_made_sure_on_the_disk_is_an_error(tmp_path: Path) -> None:
    """A pipe takes the text, but no disk holds it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="Invalid argument") as raised:
            DeadLetterFile(path).add([{"value": 1}])
        assert raised.value.errno == errno.EINVAL
        assert os.read(reader, 100) == b'{"value": 1}\n'
    finally:
        os.close(reader)


def test_a_full_disk_is_an_error_at_writing() -> None:
    with pytest.raises(OSError, match="No space") as raised:
        DeadLetterFile(Path("/dev/full")).add([{"value": 1}])
    earlier = raised.value.__context__
    assert not isinstance(earlier, OSError) or earlier.errno == errno.ENOSPC
