"""The page's files in memory: each with its type, a tag of its content, and a packed copy.

Comments and indents of scripts and styles stay here: they are an eighth of what a browser would load. Lines keep their
numbers.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_CODE = (".css", ".js")
_COMMENT = re.compile(rb"^[ \t]*(?:/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*)[ \t]*$", re.MULTILINE)
"""A comment that has its lines for itself."""
_INDENT = re.compile(rb"^[ \t]+", re.MULTILINE)


@dataclass(frozen=True)
class PageFile:
    """A file as it is sent. `packed` is its gzip copy; `tag` is the same for the same content, whatever the process."""

    content: bytes
    packed: bytes
    media_type: str
    tag: str


def page_file(name: str, content: bytes) -> PageFile:
    """The file `name` with `content`. Raises KeyError for a type that the page does not use."""
    if name.endswith(_CODE):
        content = _INDENT.sub(b"", _COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), content))
    tag = hashlib.sha256(content).hexdigest()[:32]
    return PageFile(content, gzip.compress(content, 9, mtime=0), _TYPES[Path(name).suffix], tag)


def load_files(folder: Path = STATIC) -> Mapping[str, PageFile]:
    """All files below `folder`, under their paths with slashes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return MappingProxyType({name: page_file(name, path.read_bytes()) for name, path in names.items()})
