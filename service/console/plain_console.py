"""A terminal on which names and messages of others are texts, and never commands to it.

Whoever may write points may choose names of tags, and a terminal obeys control characters: it would clear the screen,
hide lines or change its title.
"""

from typing import Any

from rich.console import Console
from rich.text import Text

_KEPT = "\t\n"
_TURNING = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the direction of the texts around them."""
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), *map(ord, _TURNING)), "�")
_SIGNS = {code: sign for code, sign in _CONTROLS.items() if chr(code) not in _KEPT}


class PlainConsole(Console):
    """Prints each text, also in the cells of a table, with a sign in place of each control character."""

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401  (those of rich)
        return super().render_str(text.translate(_SIGNS), **options)
