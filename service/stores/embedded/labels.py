"""The labels of a query's rows: dictionary columns whose codes are the ranks of the series."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.series import Tags
from service.frames.frame import TIME, constant_codes, long_schema


class Labels:
    """The labels of each rank of one measurement, as dictionary columns."""

    def __init__(self, measurement: str, tag_keys: tuple[str, ...], ranks: Sequence[tuple[Tags, str]]) -> None:
        self._measurement = measurement
        self._tag_keys = tag_keys
        self._fields = pa.array([field for _, field in ranks], pa.string())
        by_rank = [dict(tags) for tags, _ in ranks]
        self._tags = [_TagColumn([tags.get(key) for tags in by_rank]) for key in tag_keys]

    def frame(self, field_type: FieldType, ranks: pa.Array, times: pa.Array, values: pa.Array) -> pa.RecordBatch:
        """A long frame. Columns without absent values use the ranks as codes, so their dictionaries repeat values."""
        fields = pa.DictionaryArray.from_arrays(ranks, self._fields)
        columns = [times.view(TIME), values, fields, constant_codes(self._measurement, len(ranks))]
        columns += [tag.codes(ranks) for tag in self._tags]
        return pa.RecordBatch.from_arrays(columns, schema=long_schema(field_type, self._tag_keys))


class _TagColumn:
    def __init__(self, values: list[str | None]) -> None:
        self._absent = None if None not in values else np.array([value is None for value in values])
        self._values = pa.array(["" if value is None else value for value in values], pa.string())

    def codes(self, ranks: pa.Array) -> pa.DictionaryArray:
        if self._absent is not None:
            absent = self._absent[ranks.to_numpy()]
            if absent.any():
                ranks = pa.array(ranks.to_numpy(), mask=absent)
        return pa.DictionaryArray.from_arrays(ranks, self._values)
