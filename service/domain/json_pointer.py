"""Finds a value in a JSON document by its pointer (RFC 6901): `/result/0/status`, or an empty text for all of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import InvalidParameter

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_WRONG_ESCAPE = re.compile(r"~(?![01])")
_MOST_TOKENS = 50


class Missing:
    """What a pointer leads to where the document has no such value."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = Missing()


@dataclass(frozen=True)
class JsonPointer:
    """The names and indices on the way to a value, unescaped."""

    tokens: tuple[str, ...] = ()

    def find(self, document: object) -> Any:  # noqa: ANN401  (JSON of any shape)
        """The value in a parsed document; MISSING where it has none."""
        for token in self.tokens:
            if isinstance(document, Mapping):
                document = document.get(token, MISSING)
            elif isinstance(document, Sequence) and not isinstance(document, str) and _INDEX.fullmatch(token):
                document = document[int(token)] if int(token) < len(document) else MISSING
            else:
                return MISSING
        return document

    def __str__(self) -> str:
        return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in self.tokens)


def parse_pointer(text: str, parameter: str) -> JsonPointer:
    """The pointer of `text`. Raises InvalidParameter for another form."""
    if not text:
        return JsonPointer()
    if not text.startswith("/") or _WRONG_ESCAPE.search(text):
        advice = "Begin each step with /, and write ~1 for a slash and ~0 for a tilde in a name: /result/status."
        raise InvalidParameter(parameter, f"{parameter}={text[:100]!r} is no JSON pointer. {advice}")
    tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/"))
    if len(tokens) > _MOST_TOKENS:
        raise InvalidParameter(parameter, f"{parameter} has more than {_MOST_TOKENS} steps.")
    return JsonPointer(tokens)
