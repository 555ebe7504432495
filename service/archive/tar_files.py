"""The files in a tar from anywhere, with their bytes, in the memory of one piece (POSIX.1-2017, pax and ustar).

Links, devices, sparse files and formats that only one program reads are refused before a byte of them is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from service.archive.tar_entries import (
    BLOCK_BYTES,
    LARGEST_PAX_BYTES,
    NotTar,
    TarBlocks,
    checked_size,
    entry_name,
)

_FILE, _FOLDER, _PAX, _PAX_OF_ALL = (b"0", b"\0"), b"5", b"x", b"g"
_LARGEST_END_BYTES = 1024 * 1024
"""Of zeros behind the end mark: programs fill up a block of a tape, which nobody makes larger."""
_REFUSED_KEYS = (b"linkpath", b"GNU.sparse", b"SCHILY.realsize")


@dataclass(frozen=True)
class TarFile:
    """A file. `pieces` gives its bytes once, before the next file is asked for."""

    name: str
    size: int
    pieces: Iterator[bytes]


def tar_files(source: Iterator[bytes], most_entries: int, most_bytes: int) -> Iterator[TarFile]:
    """Every file, in order. What nobody takes of one is passed over.

    Raises NotTar: it is cut or changed, has an entry that is neither a file nor a folder, more entries than
    `most_entries`, or announces more than `most_bytes` of files.
    """
    blocks, entries, total = TarBlocks(source), 0, 0
    renamed: dict[bytes, bytes] = {}
    while any(head := blocks.block()):
        entries += 1
        if entries > most_entries:
            raise NotTar(f"it has more than {most_entries} entries")
        kind, size = head[156:157], checked_size(head)
        if kind in (_PAX, _PAX_OF_ALL):
            records = _pax_records(blocks, size)
            if kind == _PAX_OF_ALL and not records.keys().isdisjoint((b"path", b"size")):
                raise NotTar("it gives all entries one name or size")
            renamed = records if kind == _PAX else renamed
            continue
        name, size = _name(head, renamed), _size(size, renamed)
        renamed = {}
        total += size
        if total > most_bytes:
            raise NotTar(f"its files have more than {most_bytes} bytes")
        if kind in _FILE:
            content = blocks.content(size)
            yield TarFile(name, size, content)
            for _ in content:
                pass
        elif kind != _FOLDER or size:
            raise NotTar(f"its entry {name[:200]!r} is neither a file nor a folder in the pax or ustar format")
    _demand_end(blocks)


def _demand_end(blocks: TarBlocks) -> None:
    """The second block of the end mark, and some zeros at most."""
    if any(blocks.block()) or not blocks.only_zeros_left(_LARGEST_END_BYTES):
        raise NotTar("something follows its end mark")


def _name(head: bytes, renamed: dict[bytes, bytes]) -> str:
    if b"path" not in renamed:
        return entry_name(head)
    try:
        return renamed[b"path"].decode()
    except UnicodeDecodeError:
        raise NotTar("an entry of it has a name that is no Unicode text") from None


def _size(size: int, renamed: dict[bytes, bytes]) -> int:
    text = renamed.get(b"size", str(size).encode())
    if not text.isdigit() or len(text) > 20:
        raise NotTar("an extended head of it has no number where one belongs")
    return int(text)


def _pax_records(blocks: TarBlocks, size: int) -> dict[bytes, bytes]:
    """The members of an extended head: `LENGTH KEY=VALUE` and a line feed each."""
    if size > LARGEST_PAX_BYTES:
        raise NotTar(f"an extended head of it has {size} bytes, more than {LARGEST_PAX_BYTES}")
    content = b"".join(blocks.block() for _ in range(-(-size // BLOCK_BYTES)))[:size]
    records: dict[bytes, bytes] = {}
    while content:
        digits, _, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) <= 6 else 0
        record = content[len(digits) + 1 : length - 1]
        key, is_pair, value = record.partition(b"=")
        if not is_pair or content[length - 1 : length] != b"\n":
            raise NotTar("an extended head of it cannot be read")
        if key.startswith(_REFUSED_KEYS):
            raise NotTar("it has a link or a sparse file")
        records[key] = value
        content = content[length:]
    return records
