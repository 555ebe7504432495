"""The codes of dictionary columns: which combinations of labels (field, measurement, tags) a frame holds, and where.

A frame has far fewer distinct combinations than rows. Whatever is done per series is done once per combination.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int64]


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
