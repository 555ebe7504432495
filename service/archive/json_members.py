"""Strict reading of a JSON object: each member has its type, none is missing, and none is left over."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TypeVar

from service.domain.timerange import TimeRange

T = TypeVar("T")
_LARGEST = 1 << 63


class WrongMember(ValueError):
    """Which member is wrong, by its place in the document, and why."""


class Members:
    """The members of the object at `place`, each taken once. Used as a context: at its end none may be left over."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise WrongMember(f"{place} is no object")
        self._left = dict(value)
        self._place = place

    def __enter__(self) -> "Members":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._left:
            raise WrongMember(f"{self._place} has a member {next(iter(self._left))!r:.100} that is not known")

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise WrongMember(f"{self._at(name)} is no text")
        return value

    def flag(self, name: str) -> bool:
        value = self._take(name)
        if not isinstance(value, bool):
            raise WrongMember(f"{self._at(name)} is neither true nor false")
        return value

    def number(self, name: str, least: int = -_LARGEST) -> int:
        """A whole number of at least `least`, and of 64 bits."""
        value = self._take(name)
        if type(value) is not int or not least <= value < _LARGEST:
            raise WrongMember(f"{self._at(name)} is no whole number from {least} up")
        return value

    def span(self, name: str) -> TimeRange:
        value = self._take(name)
        return self._span(value, self._at(name))

    def optional_span(self, name: str) -> TimeRange | None:
        value = self._take(name)
        return None if value is None else self._span(value, self._at(name))

    def items(self, name: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
        """A list, each item of it as `read` reads it at its place."""
        value = self._take(name)
        if not isinstance(value, list):
            raise WrongMember(f"{self._at(name)} is no list")
        return tuple(read(item, f"{self._at(name)}[{place}]") for place, item in enumerate(value))

    def texts(self, name: str) -> tuple[str, ...]:
        return self.items(name, _text)

    def spans(self, name: str) -> tuple[TimeRange, ...]:
        return self.items(name, self._span)

    def mapping(self, name: str) -> Mapping[str, object]:
        """An object whose members are not known by name."""
        value = self._take(name)
        if not isinstance(value, Mapping):
            raise WrongMember(f"{self._at(name)} is no object")
        return value

    def text_pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """An object of texts, by key."""
        value = self.mapping(name)
        return tuple((key, _text(value[key], f"{self._at(name)}.{key}")) for key in sorted(value))

    def _take(self, name: str) -> object:
        if name not in self._left:
            raise WrongMember(f"{self._at(name)} is missing")
        return self._left.pop(name)

    def _at(self, name: str) -> str:
        return f"{self._place}.{name}"

    @staticmethod
    def _span(value: object, place: str) -> TimeRange:
        with Members(value, place) as members:
            start_ns, stop_ns = members.number("start_ns"), members.number("stop_ns")
        try:
            return TimeRange(start_ns, stop_ns)
        except ValueError:
            raise WrongMember(f"{place} is no range of time") from None


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise WrongMember(f"{place} is no text")
    return value
