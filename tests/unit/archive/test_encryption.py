"""Files that only their recipients read, in the format of age; wrong keys and changed files are told apart."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from service.archive.encryption import (
    Decrypter,
    Encrypter,
    NotEncrypted,
    new_key_pair,
    opened_key_pair,
)
from service.archive.local_folder import LocalFolder
from service.errors import ArchiveKeyRefused, ArchiveUnavailable
from tests.support.age_keys import recipient_of
from tests.support.demanded import or_skip
from tests.support.servers import installed
from tests.unit.archive.test_destination import content

IDENTITY = str(pyrage.x25519.Identity.generate())
OTHER = str(pyrage.x25519.Identity.generate())
PLAIN = [b"one " * 50_000, b"", b"two " * 50_000]


def encrypted(folder: LocalFolder, *recipients: str) -> bytes:
    with folder.create("b/file") as sink:
        Encrypter(recipients or (recipient_of(IDENTITY),)).copy(PLAIN, sink)
    return content(folder, "b/file")


def pieces(data: bytes, size: int = 10_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_what_is_encrypted_comes_back_for_any_of_its_recipients(folder: LocalFolder) -> None:
    data = encrypted(folder, recipient_of(IDENTITY), recipient_of(OTHER))
    assert data.startswith(b"age-encryption.org/v1\n")
    for identity in (IDENTITY, OTHER):
        assert b"".join(Decrypter((identity,)).decrypted(pieces(data))) == b"".join(PLAIN)
    assert pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(OTHER)]) == b"".join(PLAIN)


def test_the_program_age_opens_it(folder: LocalFolder, tmp_path: Path) -> None:
    program = or_skip(lambda: installed("age", package="age"))
    encrypted(folder)
    (tmp_path / "key").write_text(IDENTITY)
    command = [str(program), "-d", "-i", str(tmp_path / "key"), str(tmp_path / "backups" / "b" / "file")]
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stdout == b"".join(PLAIN)


def test_a_key_that_does_not_fit_is_said(folder: LocalFolder) -> None:
    data = encrypted(folder)
    with pytest.raises(ArchiveKeyRefused, match="No key that was given opens the file"):
        list(Decrypter((OTHER,)).decrypted(pieces(data)))


@pytest.mark.parametrize("place", [3, 60, 210, 300, 70_000, -1])
def test_a_changed_file_does_not_decrypt(folder: LocalFolder, place: int) -> None:
    data = bytearray(encrypted(folder))
    data[place] ^= 1
    with pytest.raises((NotEncrypted, ArchiveKeyRefused)):
        list(Decrypter((IDENTITY,)).decrypted(pieces(bytes(data))))


@pytest.mark.parametrize("length", [0, 10, 200, 65_000, 131_000, -1])
def test_a_cut_file_does_not_decrypt(folder: LocalFolder, length: int) -> None:
    data = encrypted(folder)[:length]
    with pytest.raises(NotEncrypted, match="does not decrypt"):
        list(Decrypter((IDENTITY,)).decrypted(pieces(data)))


def test_what_the_source_raises_is_raised(folder: LocalFolder) -> None:
    def broken(data: bytes) -> Iterator[bytes]:
        yield data
        raise ArchiveUnavailable("the disk is gone")

    data = encrypted(folder)
    with pytest.raises(ArchiveUnavailable, match="the disk is gone"):
        list(Decrypter((IDENTITY,)).decrypted(broken(data[:100_000])))
    with pytest.raises(ArchiveUnavailable, match="the disk is gone"), folder.create("b/other") as sink:
        Encrypter((recipient_of(IDENTITY),)).copy(broken(b"x" * 1000), sink)
    assert folder.size("b/other") is None


def test_a_reader_that_leaves_ends_the_thread(folder: LocalFolder) -> None:
    with folder.create("b/file") as sink:
        Encrypter((recipient_of(IDENTITY),)).copy([b"x" * 1_000_000] * 8, sink)
    decrypted = Decrypter((IDENTITY,)).decrypted(pieces(content(folder, "b/file")))
    assert next(decrypted)
    decrypted.close()  # type: ignore[attr-defined]
    assert [thread for thread in threading.enumerate() if thread.name == "decrypt"] == []


def test_a_passphrase_opens_the_key_that_opens_the_files(folder: LocalFolder) -> None:
    pair = new_key_pair("correct horse")
    data = encrypted(folder, pair.recipient)
    opened = opened_key_pair(pair.file, "correct horse")
    assert opened == pair
    assert b"".join(Decrypter((opened.identity,)).decrypted(pieces(data))) == b"".join(PLAIN)
    assert pair.identity.encode() not in pair.file
    assert pair.identity not in repr(pair)
    with pytest.raises(ArchiveKeyRefused, match=r"The passphrase does not open key\.age"):
        opened_key_pair(pair.file, "wrong horse")


@pytest.mark.parametrize("file", [b"", b"no age file", b"age-encryption.org/v1\n"])
def test_a_key_file_that_is_none_is_refused(file: bytes) -> None:
    with pytest.raises(ArchiveKeyRefused):
        opened_key_pair(file, "correct horse")


def test_what_is_no_key_is_refused_without_showing_it() -> None:
    with pytest.raises(ArchiveKeyRefused, match="begins with age1"):
        Encrypter(("secret-text",))
    with pytest.raises(ArchiveKeyRefused, match="at least one recipient"):
        Encrypter(())
    with pytest.raises(ArchiveKeyRefused, match="AGE-SECRET-KEY-1") as refused:
        Decrypter(("secret-text",))
    assert "secret-text" not in str(refused.value)
    assert IDENTITY not in repr(Decrypter((IDENTITY,)))


def test_the_library_is_named_when_it_is_missing() -> None:
    script = (
        "import sys; import service.archive.encryption as e; assert 'pyrage' not in sys.modules;"
        "sys.modules['pyrage'] = None\n"
        "try: e.new_key_pair('x')\n"
        "except e.ConfigurationError as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert "pip install 'fluxgate-gateway[age]'" in shown.stdout, shown.stderr
