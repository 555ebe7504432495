"""The entries of a tar, read once in the memory of one block, whatever it claims (POSIX.1-2017, pax, ustar format).

The standard library reads heads of any length into memory, and takes a tar without an end mark.
"""

from collections.abc import Iterator
from dataclasses import dataclass

BLOCK_BYTES = 512
LARGEST_PAX_BYTES = 65_536
_FILE, _FOLDER, _PAX = (b"0", b"\0"), b"5", (b"x", b"g")
_RENAMING = (b" path=", b" linkpath=", b" size=", b" GNU.sparse.")


class NotTar(ValueError):
    """Why bytes are no whole tar of files and folders."""


@dataclass(frozen=True)
class TarEntry:
    """A file with its bytes, or a folder."""

    name: str
    size: int
    is_folder: bool


def tar_entries(source: Iterator[bytes]) -> Iterator[TarEntry]:
    """Every entry, up to the end mark of two blocks of zeros; what follows it is read and has to be zeros.

    Raises NotTar: it is cut or changed, or has an entry that is neither a file nor a folder.
    """
    blocks = TarBlocks(source)
    while True:
        head = blocks.block()
        if not any(head):
            if any(blocks.block()) or not blocks.only_zeros_left():
                raise NotTar("something follows its end mark")
            return
        kind = head[156:157]
        size = checked_size(head)
        if kind in _PAX:
            _demand_harmless(blocks, size)
            continue
        if kind not in _FILE and kind != _FOLDER:
            raise NotTar(f"it has an entry {entry_name(head)[:200]!r}, which is neither a file nor a folder")
        yield TarEntry(entry_name(head), size, kind == _FOLDER)
        blocks.skip(size)


def checked_size(head: bytes) -> int:
    """The size in a head whose checksum is right: octal, or base-256 where the first bit is set."""
    expected = sum(head[:148]) + 8 * ord(" ") + sum(head[156:])
    if _octal(head[148:156]) != expected:
        raise NotTar("a head of it was changed: its checksum is wrong")
    field = head[124:136]
    return int.from_bytes(field[1:], "big") if field[0] == 0x80 else _octal(field)


def _octal(field: bytes) -> int:
    text = field.strip(b" \0")
    if not text.isdigit() or b"8" in text or b"9" in text:
        raise NotTar("a head of it has no number where one belongs")
    return int(text, 8)


def entry_name(head: bytes) -> str:
    """The name in a head. Raises NotTar."""
    name, prefix = head[:100].split(b"\0")[0], b""
    if head[257:262] == b"ustar" and head[257:265] != b"ustar  \0":  # GNU has other members in the place of a prefix
        prefix = head[345:500].split(b"\0")[0]
    try:
        return (prefix + b"/" + name if prefix else name).decode()
    except UnicodeDecodeError:
        raise NotTar("an entry of it has a name that is no Unicode text") from None


def _demand_harmless(blocks: "TarBlocks", size: int) -> None:
    """An extended head may say owners and times, but no other name or size."""
    if size > LARGEST_PAX_BYTES:
        raise NotTar(f"an extended head of it has {size} bytes, more than {LARGEST_PAX_BYTES}")
    content = b"".join(blocks.block() for _ in range(-(-size // BLOCK_BYTES)))
    if any(word in content for word in _RENAMING):
        raise NotTar("an extended head of it gives an entry another name or size")


class TarBlocks:
    """Blocks of 512 bytes."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._held = b""
        self._position = 0

    def block(self) -> bytes:
        """The next block. Raises NotTar at the end."""
        while len(self._held) - self._position < BLOCK_BYTES:
            piece = next(self._source, None)
            if piece is None:
                raise NotTar("it has no end mark: it was cut")
            self._held = self._held[self._position :] + piece
            self._position = 0
        self._position += BLOCK_BYTES
        return self._held[self._position - BLOCK_BYTES : self._position]

    def skip(self, size: int) -> None:
        """Pass over the blocks of a file's bytes."""
        self._pass_over(-(-size // BLOCK_BYTES) * BLOCK_BYTES)

    def content(self, size: int) -> Iterator[bytes]:
        """A file's bytes, piece by piece. After the last of them its blocks are passed over."""
        left = size
        while left:
            piece = self._held[self._position : self._position + left]
            if not piece:
                self._held, self._position = self._next(), 0
                continue
            self._position += len(piece)
            left -= len(piece)
            yield piece
        self._pass_over(-size % BLOCK_BYTES)

    def _next(self) -> bytes:
        piece = next(self._source, None)
        if piece is None:
            raise NotTar("it ends in the middle of a file: it was cut")
        return piece

    def _pass_over(self, count: int) -> None:
        left = count
        while left > (held := len(self._held) - self._position):
            left -= held
            self._held, self._position = self._next(), 0
        self._position += left

    def only_zeros_left(self, most_bytes: int | None = None) -> bool:
        """Whether nothing but zeros follows, and no more than `most_bytes` of them; all of it is read until then."""
        held = self._held[self._position :]
        left = len(held)
        if any(held):
            return False
        for piece in self._source:
            left += len(piece)
            if any(piece) or (most_bytes is not None and left > most_bytes):
                return False
        return True
