"""The words that a parameter allows. The error about another word lists them, and names the one that may be meant."""

import difflib
from collections.abc import Sequence
from enum import StrEnum
from typing import NoReturn, TypeVar

from service.errors import InvalidParameter

Member = TypeVar("Member", bound=StrEnum)
_OTHER_WORDS = {
    "avg": "mean",
    "average": "mean",
    "minimum": "min",
    "maximum": "max",
    "total": "sum",
    "newest": "last",
    "latest": "last",
    "oldest": "first",
    "range": "spread",
    "begin": "start",
    "left": "start",
    "end": "stop",
    "right": "stop",
    "pivot": "table",
}
"""What people write for an allowed word, by that of other programs."""


def member(choices: type[Member], parameter: str, text: str) -> Member:
    """The member of `choices` with the value `text`. Raises InvalidParameter."""
    try:
        return choices(text)
    except ValueError:
        refuse(parameter, text, [choice.value for choice in choices])


def refuse(parameter: str, text: str, allowed: Sequence[str]) -> NoReturn:
    """Raises InvalidParameter: `text` is none of the allowed words."""
    other = _OTHER_WORDS.get(text.lower())
    near = [other] if other in allowed else difflib.get_close_matches(text[:100].lower(), allowed, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    reason = f"{parameter}={text[:100]!r} is unknown.{hint} Allowed: {', '.join(allowed)}."
    raise InvalidParameter(parameter, reason, allowed=list(allowed)) from None


def flag(parameter: str, text: str, advice: str = "") -> bool:
    """Whether `text` is `true`. Raises InvalidParameter unless it is `true` or `false`; `advice` ends its message."""
    if text not in ("true", "false"):
        reason = f"{parameter}={text[:100]!r} is neither true nor false.{advice and ' '}{advice}"
        raise InvalidParameter(parameter, reason, allowed=["true", "false"])
    return text == "true"
