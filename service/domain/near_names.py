"""Names that look like a name: for a hint, at a bounded cost."""

import difflib
from collections.abc import Iterable
from itertools import islice

_MOST_KNOWN = 1_000
_LONGEST = 100
_MOST_NEAR = 3


def near_names(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """At most 3 of `known` that look like `name`, in whatever case, the nearest first.

    Only the first 1,000 names of at most 100 characters are compared; a longer `name` has no near ones.
    """
    if len(name) > _LONGEST:
        return ()
    by_lower: dict[str, list[str]] = {}
    for candidate in islice((candidate for candidate in known if len(candidate) <= _LONGEST), _MOST_KNOWN):
        by_lower.setdefault(candidate.lower(), []).append(candidate)
    nearest = difflib.get_close_matches(name.lower(), by_lower, _MOST_NEAR)
    return tuple(candidate for lower in nearest for candidate in by_lower[lower] if candidate != name)[:_MOST_NEAR]
