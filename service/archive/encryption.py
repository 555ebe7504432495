"""Files at rest in the format of age (age-encryption.org), which the program `age` opens too; by pyrage (extra `age`).

Files are encrypted to recipients, public keys. With a passphrase a key pair is made, whose secret half lies beside the
backup, itself encrypted under the passphrase: the slow scrypt runs once a backup, and not once a file.
"""

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.archive.destination import Sink
from service.errors import ArchiveKeyRefused, ConfigurationError

KEY_FILE = "key.age"
"""Where a backup keeps the secret half of its key pair, when a passphrase protects it."""
LARGEST_KEY_FILE_BYTES = 10_000
ENCRYPTED = ".age"
"""What the names of encrypted files end in."""
_PIECES_AHEAD = 4


@dataclass(frozen=True)
class KeyPair:
    """`recipient` (age1...) encrypts, `identity` (AGE-SECRET-KEY-1...) decrypts. `file` is the content of KEY_FILE."""

    recipient: str
    identity: str = field(repr=False)
    file: bytes = field(repr=False)


class NotEncrypted(ValueError):
    """Why bytes do not decrypt, although the key is right for other files."""


def new_key_pair(passphrase: str) -> KeyPair:
    """A new pair under `passphrase`. Takes about a second, by design of scrypt."""
    age = _age()
    identity = age.x25519.Identity.generate()
    file = age.passphrase.encrypt(str(identity).encode(), passphrase)
    return KeyPair(str(identity.to_public()), str(identity), bytes(file))


def opened_key_pair(file: bytes, passphrase: str) -> KeyPair:
    """The pair of an earlier backup. Raises ArchiveKeyRefused for another passphrase, or a file that is none."""
    age = _age()
    try:
        text = age.passphrase.decrypt(file, passphrase).decode("ascii").strip()
        identity = age.x25519.Identity.from_str(text)
    except (age.DecryptError, age.IdentityError, UnicodeDecodeError):
        raise ArchiveKeyRefused(f"The passphrase does not open {KEY_FILE} of the backup: give its own.") from None
    return KeyPair(str(identity.to_public()), str(identity), file)


@dataclass(frozen=True)
class Encrypter:
    """Encrypts to all `recipients`. Raises ArchiveKeyRefused for one that is no key."""

    recipients: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ArchiveKeyRefused("Encryption needs at least one recipient, a key that begins with age1.")
        _recipients(self.recipients)

    def copy(self, pieces: Iterable[bytes], sink: Sink) -> None:
        """Encrypt all pieces into `sink`, in the memory of a few. Raises what `pieces` and `sink` raise."""
        reader = _Reader(pieces)
        try:
            _age().encrypt_io(reader, sink, _recipients(self.recipients))
        except Exception:
            if reader.failure is not None:
                raise reader.failure from None
            raise


@dataclass(frozen=True)
class Decrypter:
    """Decrypts what was encrypted to any of `identities`. Raises ArchiveKeyRefused for one that is no key."""

    identities: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        _identities(self.identities)

    def decrypted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The content, piece by piece; a thread of its own decrypts a few ahead, and ends with the iterator.

        Raises ArchiveKeyRefused when no key fits, NotEncrypted for what is cut or changed, and what `pieces` raises.
        """
        reader, queued = _Reader(pieces), _Queued()
        thread = threading.Thread(target=self._run, args=(reader, queued), name="decrypt", daemon=True)
        thread.start()
        try:
            yield from queued.taken()
        finally:
            queued.abandon()
            thread.join()
        if reader.failure is not None:
            raise reader.failure
        if queued.failure is not None:
            raise self._explained(queued.failure, reader)

    def _run(self, reader: "_Reader", queued: "_Queued") -> None:
        try:
            _age().decrypt_io(reader, queued, _identities(self.identities))
        except Exception as failure:  # noqa: BLE001  handed on to the thread that takes the pieces
            queued.failure = failure
        queued.end()

    @staticmethod
    def _explained(failure: Exception, reader: "_Reader") -> Exception:
        words = str(failure)
        if "No matching keys" in words:
            return ArchiveKeyRefused("No key that was given opens the file. Give the passphrase or key of the backup.")
        return NotEncrypted(f"it does not decrypt ({words[:100]}, after {reader.size} bytes)")


class _Reader:
    """Pieces as a file. What they raise is kept in `failure`."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.failure: Exception | None = None
        self.size = 0
        self._pieces = iter(pieces)
        self._held = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._held:
                self._held = memoryview(next(self._pieces))
        except StopIteration:
            return b""
        except Exception as failure:
            self.failure = failure
            raise
        taken, self._held = (self._held, memoryview(b"")) if size < 0 else (self._held[:size], self._held[size:])
        self.size += len(taken)
        return bytes(taken)


class _Abandoned(Exception):
    """Nobody takes the pieces any more."""


class _Queued:
    """What one thread writes and another takes, a few pieces ahead."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_PIECES_AHEAD)
        self._abandoned = False

    def write(self, data: bytes) -> int:
        if self._abandoned:
            raise _Abandoned
        self._pieces.put(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Pieces are handed on at once."""

    def end(self) -> None:
        if not self._abandoned:
            self._pieces.put(None)

    def taken(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            yield piece

    def abandon(self) -> None:
        """Let a writer that waits go on, into its end."""
        self._abandoned = True
        with suppress(queue.Empty):
            while True:
                self._pieces.get_nowait()


def _recipients(texts: Sequence[str]) -> list[Any]:
    age = _age()
    try:
        return [age.x25519.Recipient.from_str(text) for text in texts]
    except age.RecipientError:
        raise ArchiveKeyRefused("A recipient of the encryption is no age key: it begins with age1.") from None


def _identities(texts: Sequence[str]) -> list[Any]:
    age = _age()
    try:
        return [age.x25519.Identity.from_str(text) for text in texts]
    except age.IdentityError:
        raise ArchiveKeyRefused("A secret key is none of age: it begins with AGE-SECRET-KEY-1.") from None


def _age() -> Any:  # noqa: ANN401  pyrage has no types
    try:
        import pyrage
    except ImportError:
        raise ConfigurationError(
            "Encrypted backups need the package pyrage: pip install 'fluxgate-gateway[age]'."
        ) from None
    return pyrage
