"""The head of an SVG document: its size in CSS pixels and its name, without what the drawing library writes there.

The library gives sizes in points, and names a document type at another address, which some readers fetch.
"""

import re
from xml.sax.saxutils import escape, quoteattr

from service.pictures.look import Look
from service.pictures.texts import printable

_HEAD = re.compile(rb"\A.*?<svg\b[^>]*>", re.DOTALL)
_LONGEST_NAME = 300


def with_plain_head(document: bytes, look: Look, name: str) -> bytes:
    """The drawing with a head of its own. `name`: what programs that read aloud say of it."""
    drawing, count = _HEAD.subn(b"", document, count=1)
    if not count:
        raise ValueError("the drawing library wrote no SVG")
    text = printable(name, _LONGEST_NAME)
    size = f'width="{look.width}" height="{look.height}" viewBox="0 0 {look.width} {look.height}"'
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    head = f'<svg {spaces} {size} role="img" aria-label={quoteattr(text)}>\n <title>{escape(text)}</title>'
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + head.encode() + drawing
