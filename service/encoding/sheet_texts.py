"""Texts in the cells of a spreadsheet, as XML (ECMA-376, ST_Xstring).

A letter that XML lacks is written `_xHHHH_`, so a text that looks like that has its underscores written so, too.
"""

import pyarrow as pa
import pyarrow.compute as pc

from service.errors import SheetTooSmall

MOST_LETTERS = 32_767
"""In one cell, in units of UTF-16."""
_SPECIAL = r"[\x00-\x08\x0b-\x1f&<>\x{FFFE}\x{FFFF}]|_x[0-9A-Fa-f]{4}_"
_LOOKS_ESCAPED = r"_x[0-9A-Fa-f]{4}_"
_UNKNOWN_TO_XML = [*range(0x09), *range(0x0B, 0x20), 0xFFFE, 0xFFFF]
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def text_cells(texts: pa.StringArray) -> pa.StringArray:
    """Each text as the rest of a cell behind its name; null where there is none.

    Raises SheetTooSmall: a text is too long.
    """
    _refuse_long(texts)
    before, after = ' t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
    return pc.binary_join_element_wise(before, _escaped(texts), after, "")


def _refuse_long(texts: pa.StringArray) -> None:
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest <= MOST_LETTERS:
        return
    for text in texts.filter(pc.greater(pc.binary_length(texts), MOST_LETTERS)).to_pylist():
        letters = len(text.encode("utf-16-le")) // 2
        if letters > MOST_LETTERS:
            raise SheetTooSmall(f"A text of the answer has {letters} letters, and a cell has room for {MOST_LETTERS}.")


def _escaped(texts: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.match_substring_regex(texts, _SPECIAL)).as_py():
        return texts
    looks_escaped = pc.match_substring_regex(texts, _LOOKS_ESCAPED)
    escaped = pc.if_else(looks_escaped, pc.replace_substring(texts, "_x", "_x005F_x"), texts)
    for code in _UNKNOWN_TO_XML:
        escaped = pc.replace_substring(escaped, chr(code), f"_x{code:04X}_")
    for letter, name in _ESCAPES.items():
        escaped = pc.replace_substring(escaped, letter, name)
    return escaped
