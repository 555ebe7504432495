"""What a connector did with values and posts, as numbers that add up."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from service.upstream.protocol import Delivered


@dataclass(frozen=True)
class Counts:
    """Values `read` from the source, and of them `accepted` and `refused` by the upstream.

    `posts`: requests to the upstream. `unknown`: posts without an answer, which were sent again.
    """

    read: int = 0
    accepted: int = 0
    refused: int = 0
    posts: int = 0
    unknown: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Counts)))

    @property
    def sent(self) -> int:
        """Values about which the upstream decided."""
        return self.accepted + self.refused

    @classmethod
    def of_delivery(cls, values: int, delivered: Delivered) -> "Counts":
        """Of a batch of `values` values."""
        return cls(values, delivered.accepted, delivered.refused, delivered.posts, delivered.unknown)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Counts":
        """Of a checkpoint. What is absent is 0."""
        return cls(*(int(document.get(field.name, 0)) for field in fields(cls)))

    def as_document(self) -> dict[str, int]:
        """Of a checkpoint, as `of` reads it back."""
        return asdict(self)


NONE = Counts()
