"""The distinct combinations of labels (field, measurement, tags) in a frame, and the combination of each row.

A frame has far fewer distinct combinations than rows, so work per series is done once per combination. Everything here
works on the codes of dictionary columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Combinations:
    """The distinct combinations of some columns. `of_row` is the combination of each row, None when there is only one.

    `codes[i]` holds, for column i, the index into its dictionary for each combination (-1: absent). It has one item
    when all rows have the same text.
    """

    of_row: pa.Array | None
    codes: tuple[Codes, ...]

    def rows(self, count: int) -> Codes:
        """The combination of each of `count` rows, also when there is only one combination."""
        return np.zeros(count, np.int64) if self.of_row is None else self.of_row.to_numpy().astype(np.int64)


def is_constant(column: pa.DictionaryArray) -> bool:
    """Whether all rows have the same text."""
    return len(column.dictionary) == 1 and not column.indices.null_count


def codes_address(column: pa.DictionaryArray) -> tuple[int, ...]:
    """The memory address of the codes of a column: equal for columns of one frame that share their codes."""
    indices = column.indices
    validity, data = indices.buffers()
    return (data.address if data else 0, validity.address if validity else 0, indices.offset, len(indices))


def combine(labels: Sequence[pa.DictionaryArray]) -> Combinations:
    """The distinct combinations of label columns of equal length."""
    columns_by_codes: dict[tuple[int, ...], list[int]] = {}
    for index, column in enumerate(labels):
        if not is_constant(column):
            columns_by_codes.setdefault(codes_address(column), []).append(index)
    of_row: Codes | None = None
    combined: list[tuple[list[int], Codes]] = []
    for indices in columns_by_codes.values():
        size = 1 + max(len(labels[index].dictionary) for index in indices)
        row_codes = _codes(labels[indices[0]])
        if of_row is None:
            distinct, of_row = compact(row_codes, size)
            combined = [(indices, distinct)]
        else:
            packed, of_row = compact(of_row * size + row_codes, len(combined[0][1]) * size)
            earlier, last_codes = np.divmod(packed, size)
            combined = [(columns, codes[earlier]) for columns, codes in combined] + [(indices, last_codes)]
    by_column = [np.zeros(1, np.int64)] * len(labels)
    for indices, codes in combined:
        for index in indices:
            by_column[index] = codes - 1
    has_several = bool(combined) and len(combined[0][1]) > 1
    row_combinations = pa.array(of_row.astype(np.int32)) if of_row is not None and has_several else None
    return Combinations(row_combinations, tuple(by_column))


def texts_of(labels: Sequence[pa.DictionaryArray], combinations: Combinations) -> list[list[str | None]]:
    """For each column its text in each combination. `combinations` is `combine(labels)`, of at least one column."""
    size = max(map(len, combinations.codes))
    columns: list[list[str | None]] = []
    for column, codes in zip(labels, combinations.codes, strict=True):
        texts = column.dictionary.to_pylist()
        combination_texts = [None if code < 0 else texts[code] for code in codes.tolist()]
        columns.append(combination_texts * size if len(combination_texts) == 1 else combination_texts)
    return columns


def _codes(column: pa.DictionaryArray) -> Codes:
    """The code of each row plus one; zero where the value is absent."""
    indices = column.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    codes: Codes = indices.to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return codes


def compact(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The distinct `codes` (all below `size`), ascending, and for each row the index of its code among them."""
    if size > max(4 * len(codes), 65_536):
        distinct, indices = np.unique(codes, return_inverse=True)
        return distinct, indices
    seen = np.zeros(size, np.bool_)
    seen[codes] = True
    distinct = np.flatnonzero(seen)
    indices = np.zeros(size, np.int64)
    indices[distinct] = np.arange(len(distinct))
    return distinct, indices[codes]


def rows_by_code(codes: Codes) -> Iterator[Codes]:
    """The rows of each distinct code, one array per code; codes and rows ascend."""
    if len(codes):
        order = np.argsort(codes, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
