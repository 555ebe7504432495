"""The facts of an answer besides its bytes. The cache keeps both, and each reader shows the facts in its own way.

The cache keeps texts, so facts become texts and are read back from them unchanged.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.domain.timerange import TimeRange
from service.domain.unknown_names import UnknownName
from service.pictures.facts import PictureFacts

_MOST_LETTERS = 4000
"""The most letters of all names in a list: a bucket may have any number of fields, and facts stay small."""


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
    def of_unknown(cls, names: Iterable[UnknownName]) -> "NameList":
        return cls.of((name.kind.value, name.tag, name.name, *name.near) for name in names)

    def and_of(self, names: Iterable[UnknownName]) -> "NameList":
        """These, then unknown ones."""
        more = NameList.of_unknown(names)
        joined = NameList.of((*self.names, *more.names))
        return NameList(joined.names, self.count + more.count)

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], fact: str) -> "NameList":
        if fact not in texts:
            return cls()
        count, *names = json.loads(texts[fact])
        return cls(tuple(map(tuple, names)), count)


@dataclass(frozen=True)
class ReadFacts:
    """`span`: the range that was read, which a kept answer has from the moment it was made.

    `skipped`: measurements and fields that the function cannot take. `store`: who answered. `unknown`: what the filters
    name and the bucket does not know, each as kind, tag key (of a value), name, then near names. `newest`: of an answer
    without rows, the time of the bucket's newest point, or why there is none. `picture`: of an answer that is one.
    """

    span: TimeRange
    store: str
    skipped: NameList = NameList()
    unknown: NameList = NameList()
    newest: str = ""
    picture: PictureFacts | None = None

    def texts(self) -> dict[str, str]:
        span = {"start": str(self.span.start_ns), "stop": str(self.span.stop_ns)}
        newest = {"newest": self.newest} if self.newest else {}
        names = self.skipped.texts("skipped") | self.unknown.texts("unknown")
        picture = self.picture.texts() if self.picture else {}
        return {**span, "store": self.store, **names, **newest, **picture}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> "ReadFacts":
        span = TimeRange(int(texts["start"]), int(texts["stop"]))
        skipped, unknown = (NameList.from_texts(texts, fact) for fact in ("skipped", "unknown"))
        newest, picture = texts.get("newest", ""), PictureFacts.from_texts(texts)
        return cls(span, texts["store"], skipped, unknown, newest, picture)


@dataclass(frozen=True)
class LatestFacts:
    """`text`: fields that hold text. `silent`: fields without a value in the look-back. Each has its measurement.

    `merged`: measurements whose values are of several series. `renamed`: names that are not the plain ones, because
    two things would share them. `unread` and `unread_measurements`: buckets that cannot be read, and measurements of
    others, each after its bucket. Where devices stand apart, the device of a field
    or measurement stands before it.
    """

    store: str
    text: NameList = NameList()
    silent: NameList = NameList()
    merged: NameList = NameList()
    renamed: NameList = NameList()
    unread: NameList = NameList()
    unread_measurements: NameList = NameList()

    def texts(self) -> dict[str, str]:
        return {
            "store": self.store,
            **self.text.texts("text"),
            **self.silent.texts("silent"),
            **self.merged.texts("merged"),
            **self.renamed.texts("renamed"),
            **self.unread.texts("unread"),
            **self.unread_measurements.texts("unread measurements"),
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
            unread_measurements=NameList.from_texts(texts, "unread measurements"),
        )
