"""A multipart body as it comes in, part by part, in bounded memory (RFC 2046, 5.1.1).

A body without its closing boundary was cut, however politely the connection was closed. The standard library reads a
whole body into memory, and takes one that is cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

_LONGEST_HEAD = 8192
_LONGEST_BOUNDARY = 70


class NotMultipart(ValueError):
    """Why bytes are no whole multipart body."""


@dataclass(frozen=True)
class Part:
    """A part. `chunks` are its bytes; they are to be read before the next part, which skips what was left."""

    name: str
    chunks: Iterator[bytes]


def boundary_of(content_type: str) -> bytes:
    """The boundary in a Content-Type. Raises NotMultipart: it is another type, or has none."""
    head = Message()
    head["Content-Type"] = content_type
    boundary = head.get_boundary()
    if head.get_content_maintype() != "multipart" or not boundary or len(boundary) > _LONGEST_BOUNDARY:
        raise NotMultipart(f"its type is {content_type[:100]!r}")
    return boundary.encode("latin-1", "replace")


def parts(chunks: Iterator[bytes], boundary: bytes) -> Iterator[Part]:
    """Every part, up to the closing boundary; nothing but line ends may follow it.

    Raises NotMultipart, also from the chunks of a part: the body is cut, or is something else.
    """
    source = _Source(chunks)
    source.held = b"\r\n"
    delimiter = b"\r\n--" + boundary
    if any(source.until(delimiter)):
        raise NotMultipart("something stands before its first part")
    while True:
        mark = source.take(2)
        if mark == b"--":
            source.demand_end()
            return
        if mark != b"\r\n":
            raise NotMultipart("a boundary of it has no line end")
        content = source.until(delimiter)
        yield Part(_name(source.head()), content)
        for _ in content:
            pass


def _name(head: bytes) -> str:
    """The `name` of a Content-Disposition."""
    for line in head.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"content-disposition":
            disposition = Message()
            disposition["Content-Disposition"] = value.strip().decode("latin-1")
            name = disposition.get_param("name", header="content-disposition")
            if isinstance(name, str):
                return name
    raise NotMultipart("a part of it has no name")


class _Source:
    """Bytes up to a mark. `held` are those that came and were not given out yet."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.held = b""

    def until(self, mark: bytes) -> Iterator[bytes]:
        """What stands before `mark`, which is passed over; at least the length of the mark is held back meanwhile."""
        while (place := self.held.find(mark)) < 0:
            sure = len(self.held) - len(mark) + 1
            if sure > 0:
                piece, self.held = self.held[:sure], self.held[sure:]
                yield piece
            self._fill()
        piece, self.held = self.held[:place], self.held[place + len(mark) :]
        if piece:
            yield piece

    def head(self) -> bytes:
        """The lines up to an empty one."""
        while (place := self.held.find(b"\r\n\r\n")) < 0:
            if len(self.held) > _LONGEST_HEAD:
                raise NotMultipart(f"a part of it has a head of more than {_LONGEST_HEAD} bytes")
            self._fill()
        head, self.held = self.held[:place], self.held[place + 4 :]
        return head

    def take(self, count: int) -> bytes:
        while len(self.held) < count:
            self._fill()
        taken, self.held = self.held[:count], self.held[count:]
        return taken

    def demand_end(self) -> None:
        if self.held.strip(b"\r\n") or any(piece.strip(b"\r\n") for piece in self._chunks):
            raise NotMultipart("something follows its closing boundary")

    def _fill(self) -> None:
        piece = next(self._chunks, None)
        if piece is None:
            raise NotMultipart("it ends without its closing boundary: it was cut")
        self.held += piece
