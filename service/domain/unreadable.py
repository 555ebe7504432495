"""Names that a store holds and that are no Unicode text: told to people, never read, and never taken for another name.

InfluxDB takes any bytes as the name of a measurement, tag or field. No format of an answer can carry them, and no
question can name them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_MOST_NAMED = 10


class NameKind(StrEnum):
    """What a name is the name of."""

    MEASUREMENT = "measurement"
    TAG_KEY = "tag key"
    FIELD = "field"


@dataclass(frozen=True)
class UnreadableName:
    """A name with each byte that is no UTF-8 shown as `\\xHH`."""

    kind: NameKind
    shown: str

    @classmethod
    def of(cls, kind: NameKind, text: str) -> "UnreadableName":
        """`text` has surrogates for the bytes that are no UTF-8 (PEP 383)."""
        return cls(kind, shown_bytes(text))

    def __str__(self) -> str:
        return f"the {self.kind} {self.shown}"


def shown_bytes(text: str) -> str:
    """`text` with `\\xHH` for each byte that a surrogate stands for."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def listed(measurement: str, names: Iterable[UnreadableName]) -> str:
    """The names of a measurement as the middle of a sentence; the first ten of many."""
    texts = [str(name) for name in names]
    more = [f"{len(texts) - _MOST_NAMED} more"] if len(texts) > _MOST_NAMED else []
    joined = ", ".join([*texts[:_MOST_NAMED], *more])
    return joined if joined == f"the measurement {measurement}" else f"{joined} of the measurement {measurement}"
