"""What an answer says of itself beside its bytes: kept with them in the cache, and printed by each reader in its way.

The cache keeps texts, so facts become texts and come back from them as they were.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.domain.timerange import TimeRange

_MOST_LETTERS = 4000
"""Of the names in a list: a bucket may have any number of fields, and the facts of an answer stay small."""


@dataclass(frozen=True)
class NameList:
    """Names, or pairs of measurement and field: the first, up to some 4000 letters in all; `count` is that of all."""

    names: tuple[tuple[str, ...], ...] = ()
    count: int = 0

    @classmethod
    def of(cls, names: Iterable[tuple[str, ...]]) -> "NameList":
        kept: list[tuple[str, ...]] = []
        letters = count = 0
        for name in names:
            count += 1
            if letters <= _MOST_LETTERS:
                kept.append(name)
                letters += sum(map(len, name)) + len(name)
        return cls(tuple(kept), count)

    def texts(self, fact: str) -> dict[str, str]:
        """Under the name `fact`; nothing for an empty list."""
        return {fact: json.dumps([self.count, *self.names])} if self.count else {}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], fact: str) -> "NameList":
        if fact not in texts:
            return cls()
        count, *names = json.loads(texts[fact])
        return cls(tuple(map(tuple, names)), count)


@dataclass(frozen=True)
class ReadFacts:
    """`span`: the range that was read, which a kept answer has from the moment it was made.

    `skipped`: measurements and fields that the function cannot take. `store`: who answered.
    """

    span: TimeRange
    store: str
    skipped: NameList = NameList()

    def texts(self) -> dict[str, str]:
        span = {"start": str(self.span.start_ns), "stop": str(self.span.stop_ns)}
        return {**span, "store": self.store, **self.skipped.texts("skipped")}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> "ReadFacts":
        span = TimeRange(int(texts["start"]), int(texts["stop"]))
        return cls(span, texts["store"], NameList.from_texts(texts, "skipped"))


@dataclass(frozen=True)
class LatestFacts:
    """`text` and `silent`: fields that hold text, and those without a value in the look-back, each with its measurement.

    `merged`: measurements whose values are of several series. `renamed`: names that are not the plain ones, because
    two things would share them. `unread`: buckets that cannot be read. Where devices stand apart, the device of a field
    or measurement stands before it.
    """

    store: str
    text: NameList = NameList()
    silent: NameList = NameList()
    merged: NameList = NameList()
    renamed: NameList = NameList()
    unread: NameList = NameList()

    def texts(self) -> dict[str, str]:
        return {
            "store": self.store,
            **self.text.texts("text"),
            **self.silent.texts("silent"),
            **self.merged.texts("merged"),
            **self.renamed.texts("renamed"),
            **self.unread.texts("unread"),
        }

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> "LatestFacts":
        return cls(
            texts["store"],
            text=NameList.from_texts(texts, "text"),
            silent=NameList.from_texts(texts, "silent"),
            merged=NameList.from_texts(texts, "merged"),
            renamed=NameList.from_texts(texts, "renamed"),
            unread=NameList.from_texts(texts, "unread"),
        )
