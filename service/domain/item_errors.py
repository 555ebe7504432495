"""Reads lists of single errors in the answers of an upstream, such as `{"errors": [{"index": 3, "message": "…"}]}`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.json_pointer import MISSING, JsonPointer

_LONGEST_REASON = 300


class WrongItems(ValueError):
    """The list is none, or an entry of it names nothing. The message is the end of a sentence about the upstream."""


@dataclass(frozen=True)
class ItemRule:
    """`pointer` leads to the list. The others lead from an entry of it to what names the value, and to the reason.

    `index`: the number of the item in the post, counted from `first`. `sensor`: the name of its sensor, and
    `timestamp` its time as it was posted; without a time all values of the sensor are meant. Exactly one of `index`
    and `sensor` is given.
    """

    pointer: JsonPointer
    index: JsonPointer | None = None
    sensor: JsonPointer | None = None
    timestamp: JsonPointer | None = None
    reason: JsonPointer | None = None
    first: int = 0


@dataclass(frozen=True)
class ItemError:
    """An item of a post that the upstream refused: by `index`, counted from 0, or by `sensor` and perhaps `timestamp`.

    `reason` is the text of the upstream.
    """

    index: int | None
    sensor: str | None
    timestamp: str | int | None
    reason: str


def item_errors(rule: ItemRule, document: object) -> list[ItemError]:
    """The single errors in the document of an answer; none where it has no list.

    Raises WrongItems.
    """
    entries = rule.pointer.find(document)
    if not entries or not isinstance(entries, (list, tuple)):
        if isinstance(entries, (dict, str)) and entries:
            raise WrongItems(f"has no list at {rule.pointer} of its document")
        return []
    return list(_errors(rule, entries))


def _errors(rule: ItemRule, entries: Sequence[Any]) -> Iterator[ItemError]:
    for number, entry in enumerate(entries):
        index = _found(rule.index, entry)
        sensor, timestamp = _found(rule.sensor, entry), _found(rule.timestamp, entry)
        place = f"entry {number} at {rule.pointer} of its document"
        if rule.index is not None and (not isinstance(index, int) or isinstance(index, bool) or index < rule.first):
            raise WrongItems(f"names no item by {rule.index} in {place}")
        if rule.sensor is not None and not isinstance(sensor, str):
            raise WrongItems(f"names no sensor by {rule.sensor} in {place}")
        is_time = isinstance(timestamp, (str, int)) and not isinstance(timestamp, bool)
        if rule.timestamp is not None and not is_time:
            raise WrongItems(f"names no time by {rule.timestamp} in {place}")
        reason = _text(_found(rule.reason, entry))
        yield ItemError(None if index is None else index - rule.first, sensor, timestamp, reason)


def _text(value: object) -> str:
    return "" if value is None or value is MISSING else str(value)[:_LONGEST_REASON]


def _found(pointer: JsonPointer | None, entry: object) -> Any:  # noqa: ANN401
    """The value that `pointer` leads to; None without a pointer."""
    return None if pointer is None else pointer.find(entry)
