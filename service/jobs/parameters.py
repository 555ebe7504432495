"""The parameters of a job: refused where its kind does not know them, or where they have another type."""

from collections.abc import Collection, Mapping
from typing import Any

from service.errors import InvalidParameter


def refuse_unknown(kind: str, parameters: Collection[str], known: Collection[str]) -> None:
    """`kind` as the sentence begins, such as "A backup". Raises InvalidParameter, which names those that are known."""
    for name in parameters:
        if name not in known:
            raise InvalidParameter(
                name[:100],
                f"{kind} has no parameter {name[:100]!r}. It has: {', '.join(sorted(known))}.",
            )


def refuse_wrong_types(parameters: Mapping[str, Any], texts: Collection[str], switches: Collection[str]) -> None:
    """What is absent or null has no type. Raises InvalidParameter."""
    for name, value in parameters.items():
        if name in texts and not isinstance(value, str | None):
            raise InvalidParameter(name, f"{name} is not a text.")
        if name in switches and not isinstance(value, bool | None):
            raise InvalidParameter(name, f"{name} is neither true nor false.")
