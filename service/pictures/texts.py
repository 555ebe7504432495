"""Names as texts of a picture: on one line, cut where they are long, and without characters that XML cannot hold.

A name may hold anything. What cannot be shown has a sign in its place, so that two different names rarely look alike,
and no name turns around or breaks the texts beside it.
"""

import unicodedata

ELLIPSIS = "\u2026"
_REPLACEMENT = "\ufffd"
_CONTROL_PICTURES = 0x2400
"""U+2400 is the sign for NUL, and so on for the 32 control characters."""
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the texts around them."""
_WIDE = ("W", "F")


def printable(text: str, most: int) -> str:
    """`text` on one line, with a sign for each character that cannot be shown, cut to `most` characters."""
    shown = "".join(map(_shown, text[: most + 1]))
    return shown if len(shown) <= most else shown[: most - 1].rstrip() + ELLIPSIS


def _shown(letter: str) -> str:
    code = ord(letter)
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or code & 0xFFFE == 0xFFFE:
        return _REPLACEMENT
    return letter


def width_px(text: str, size_px: float) -> float:
    """About how wide `text` is in a sans-serif font of `size_px`: rather too much than too little."""
    return sum(map(_share, text)) * size_px


def cut_to_width(text: str, width: float, size_px: float) -> str:
    """`text`, or as much of it as `width` pixels hold, with an ellipsis."""
    if width_px(text, size_px) <= width:
        return text
    left = width - _share(ELLIPSIS) * size_px
    kept: list[str] = []
    for letter in text:
        left -= _share(letter) * size_px
        if left < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + ELLIPSIS


def _share(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in _WIDE or letter in "MWmw@%" + ELLIPSIS:
        return 1.0
    return 0.36 if letter in "iljft.,:;'|!()[] " else 0.66
