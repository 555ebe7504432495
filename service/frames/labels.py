"""The part of a text row that repeats: field, measurement and tags.

A frame has far fewer distinct combinations of these than rows, so the text of each combination is
made once and taken by every row that has it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.frames.columns import Column

Codes = npt.NDArray[np.int64]
Part: TypeAlias = str | pa.Array
PartOf = Callable[[Column, pa.StringArray], pa.StringArray]
_REMEMBERED_SINGLES = 10_000


@dataclass(frozen=True)
class Combinations:
    """Which values stand together. `of_row` gives each row its combination, None when there is but one.

    `codes[i]` is, for column i, the place in its dictionary for each combination (-1: absent); of
    length 1 when all rows have the same.
    """

    of_row: pa.Array | None
    codes: tuple[Codes, ...]

    def rows(self, count: int) -> Codes:
        """`of_row` of that many rows, also when there is but one combination."""
        return np.zeros(count, np.int64) if self.of_row is None else self.of_row.to_numpy().astype(np.int64)


@dataclass(frozen=True)
class LabelTexts:
    """The text of each combination; one string when there is but one."""

    distinct: pa.StringArray | str
    of_row: pa.Array | None

    @property
    def longest_bytes(self) -> int:
        if isinstance(self.distinct, str):
            return len(self.distinct.encode())
        return int(pc.max(pc.binary_length(self.distinct)).as_py() or 0)

    def slice(self, start: int, length: int) -> pa.StringArray | str:
        """The texts of some rows, or the one of all."""
        if isinstance(self.distinct, str):
            return self.distinct
        assert self.of_row is not None
        return self.distinct.take(self.of_row.slice(start, length))


class Labels:
    """Turns dictionary columns into one text a row. Remembers the combinations of the last columns it saw."""

    def __init__(self) -> None:
        self._seen: tuple[object, Combinations] | None = None
        self._kept: Sequence[pa.DictionaryArray] = ()
        self._singles: dict[tuple[Column, str], str] = {}

    def texts(self, columns: Sequence[Column], labels: Sequence[pa.DictionaryArray], part: PartOf, between: Sequence[str]) -> LabelTexts:
        """Join, for each row, `between[0]`, part 0, `between[1]`, part 1, ... `between[-1]`.

        `part(column, values)` makes the text of a column's values (null: absent, as text nothing); a
        single value is asked for once and then remembered.
        """
        found = self._combinations(labels)
        joined: list[Part] = [between[0]]
        for place, (column, label, codes) in enumerate(zip(columns, labels, found.codes, strict=True)):
            if len(codes) == 1:
                joined.append(self._single(column, label, int(codes[0]), part))
            else:
                joined.append(part(column, label.dictionary.take(pa.array(codes, mask=codes < 0))))
            joined.append(between[place + 1])
        return LabelTexts(_join(joined), found.of_row)

    def _single(self, column: Column, label: pa.DictionaryArray, code: int, part: PartOf) -> str:
        value = label.dictionary[code].as_py() if code >= 0 else None
        if value is None:
            return ""
        key = (column, value)
        if key not in self._singles:
            if len(self._singles) >= _REMEMBERED_SINGLES:
                self._singles.clear()
            self._singles[key] = part(column, pa.array([value], pa.string()))[0].as_py()
        return self._singles[key]

    def _combinations(self, labels: Sequence[pa.DictionaryArray]) -> Combinations:
        identity = tuple(None if is_constant(column) else (*same_codes(column), len(column.dictionary)) for column in labels)
        if self._seen is None or self._seen[0] != identity:
            self._seen = (identity, combine(labels))
            self._kept = labels
        return self._seen[1]


def _join(parts: Sequence[Part]) -> Part:
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    if len(merged) == 1:
        return merged[0]
    return pc.binary_join_element_wise(*merged, "", null_handling="replace", null_replacement="")


def is_constant(column: pa.DictionaryArray) -> bool:
    """Whether all rows have the same text."""
    return len(column.dictionary) == 1 and not column.indices.null_count


def same_codes(column: pa.DictionaryArray) -> tuple[int, ...]:
    """Where the codes of a column lie; columns of one frame that share them have it equal."""
    indices = column.indices
    validity, data = indices.buffers()
    return (data.address if data else 0, validity.address if validity else 0, indices.offset, len(indices))


def combine(labels: Sequence[pa.DictionaryArray]) -> Combinations:
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, column in enumerate(labels):
        if not is_constant(column):
            groups.setdefault(same_codes(column), []).append(place)
    of_row: Codes | None = None
    combined: list[tuple[list[int], Codes]] = []
    for places in groups.values():
        size = 1 + max(len(labels[place].dictionary) for place in places)
        rows = _codes(labels[places[0]])
        if of_row is None:
            distinct, of_row = compact(rows, size)
            combined = [(places, distinct)]
        else:
            packed, of_row = compact(of_row * size + rows, len(combined[0][1]) * size)
            earlier, own = np.divmod(packed, size)
            combined = [(those, codes[earlier]) for those, codes in combined] + [(places, own)]
    by_column = [np.zeros(1, np.int64)] * len(labels)
    for places, codes in combined:
        for place in places:
            by_column[place] = codes - 1
    several = bool(combined) and len(combined[0][1]) > 1
    return Combinations(pa.array(of_row.astype(np.int32)) if of_row is not None and several else None, tuple(by_column))


def texts_of(labels: Sequence[pa.DictionaryArray], found: Combinations) -> list[list[str | None]]:
    """For each column its text in each combination; `found` is what `combine` says of `labels`, at least one."""
    size = max(map(len, found.codes))
    columns: list[list[str | None]] = []
    for column, codes in zip(labels, found.codes, strict=True):
        texts = column.dictionary.to_pylist()
        picked = [None if code < 0 else texts[code] for code in codes.tolist()]
        columns.append(picked * size if len(picked) == 1 else picked)
    return columns


def _codes(column: pa.DictionaryArray) -> Codes:
    """Code plus one for each row, zero where the value is absent."""
    indices = column.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    codes: Codes = indices.to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return codes


def compact(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The distinct `codes` (all below `size`), ascending, and the place of each row's among them."""
    if size > max(4 * len(codes), 65_536):
        distinct, places = np.unique(codes, return_inverse=True)
        return distinct, places
    seen = np.zeros(size, np.bool_)
    seen[codes] = True
    distinct = np.flatnonzero(seen)
    places = np.zeros(size, np.int64)
    places[distinct] = np.arange(len(distinct))
    return distinct, places[codes]


def groups(codes: Codes) -> Iterator[Codes]:
    """The places of each distinct code, codes and places ascending."""
    if len(codes):
        order = np.argsort(codes, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
