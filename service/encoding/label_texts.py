"""Makes the text of labels in rows of text: field, measurement and tags.

The text of each distinct combination of labels is made once, and all rows with that combination share it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from service.encoding.columns import Column
from service.frames.label_combinations import Combinations, codes_address, combine, is_constant

Part: TypeAlias = str | pa.Array
"""A part of each row: the same text in all of them, or a column of texts."""
PartOf = Callable[[Column, pa.StringArray], pa.StringArray]
_KEPT_SINGLES = 10_000


@dataclass(frozen=True)
class LabelTexts:
    """The text of each combination, and the combination of each row. With one combination, `distinct` is its text."""

    distinct: pa.StringArray | str
    of_row: pa.Array | None

    @property
    def longest_bytes(self) -> int:
        if isinstance(self.distinct, str):
            return len(self.distinct.encode())
        return int(pc.max(pc.binary_length(self.distinct)).as_py() or 0)

    def slice(self, start: int, length: int) -> pa.StringArray | str:
        """The texts of some rows, or the text of all rows."""
        if isinstance(self.distinct, str):
            return self.distinct
        assert self.of_row is not None
        return self.distinct.take(self.of_row.slice(start, length))


class LabelEncoder:
    """Makes one text per row of dictionary columns. It keeps the combinations of the last columns."""

    def __init__(self) -> None:
        self._seen: tuple[object, Combinations] | None = None
        self._kept: Sequence[pa.DictionaryArray] = ()
        self._singles: dict[tuple[Column, str], str] = {}

    def texts(
        self,
        columns: Sequence[Column],
        labels: Sequence[pa.DictionaryArray],
        part: PartOf,
        between: Sequence[str],
    ) -> LabelTexts:
        """For each row `between[0]`, part 0, `between[1]`, part 1, ..., `between[-1]`, joined.

        `part(column, values)` makes the texts of the values of a column (null: absent, and no text). The text of a
        single value is made once and then kept.
        """
        combinations = self._combinations(labels)
        joined: list[Part] = [between[0]]
        for index, (column, label, codes) in enumerate(zip(columns, labels, combinations.codes, strict=True)):
            if len(codes) == 1:
                joined.append(self._single(column, label, int(codes[0]), part))
            else:
                joined.append(part(column, label.dictionary.take(pa.array(codes, mask=codes < 0))))
            joined.append(between[index + 1])
        return LabelTexts(_join(joined), combinations.of_row)

    def _single(self, column: Column, label: pa.DictionaryArray, code: int, part: PartOf) -> str:
        value = label.dictionary[code].as_py() if code >= 0 else None
        if value is None:
            return ""
        key = (column, value)
        if key not in self._singles:
            if len(self._singles) >= _KEPT_SINGLES:
                self._singles.clear()
            self._singles[key] = part(column, pa.array([value], pa.string()))[0].as_py()
        return self._singles[key]

    def _combinations(self, labels: Sequence[pa.DictionaryArray]) -> Combinations:
        identity = tuple(_identity(column) for column in labels)
        if self._seen is None or self._seen[0] != identity:
            self._seen = (identity, combine(labels))
            self._kept = labels
        return self._seen[1]


def _identity(column: pa.DictionaryArray) -> tuple[int, ...] | None:
    """Equal for columns with the same codes. None: all rows have the same text."""
    return None if is_constant(column) else (*codes_address(column), len(column.dictionary))


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
