"""What a query answers, made into frames: values of their type, window times, labels by rank."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.selection import Fn
from service.domain.windows import Grid
from service.frames.frame import TIME, VALUE_TYPES, constant_codes, long_schema
from service.stores.embedded.chunks import Bins

Tags = tuple[tuple[str, str], ...]


class Labels:
    """The labels of each rank of one measurement, as dictionary columns."""

    def __init__(self, measurement: str, tag_keys: tuple[str, ...], ranks: Sequence[tuple[Tags, str]]) -> None:
        self._measurement = measurement
        self._tag_keys = tag_keys
        self._fields = pa.array([field for _, field in ranks], pa.string())
        by_rank = [dict(tags) for tags, _ in ranks]
        self._tags = [_TagColumn([tags.get(key) for tags in by_rank]) for key in tag_keys]

    def frame(self, kind: FieldType, ranks: pa.Array, times: pa.Array, values: pa.Array) -> pa.RecordBatch:
        """A long frame; columns without absent values share the ranks as their codes, so their dictionaries repeat values."""
        fields = pa.DictionaryArray.from_arrays(ranks, self._fields)
        columns = [times.view(TIME), values, fields, constant_codes(self._measurement, len(ranks))]
        return pa.RecordBatch.from_arrays(columns + [tag.codes(ranks) for tag in self._tags], schema=long_schema(kind, self._tag_keys))


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


def column(table: pa.Table, name: str) -> pa.Array:
    """A whole column as one array."""
    chunked = table.column(name)
    if chunked.num_chunks == 1:
        return chunked.chunk(0)
    return pa.concat_arrays(chunked.chunks) if chunked.num_chunks else pa.array([], chunked.type)


def values_of(table: pa.Table, fn: Fn | None, taken: FieldType, output: FieldType) -> pa.Array:
    """The value column of an answer to `queries`, of the type that comes out.

    The mean of whole numbers follows Flux: their sum in 64 bits, as a float, by their count.
    """
    if fn is Fn.MEDIAN:
        return pa.array(_middle(column(table, "middle").flatten().to_numpy()))
    if "total" not in table.column_names:
        found = column(table, "value")
        return found if found.type == VALUE_TYPES[output] else found.cast(VALUE_TYPES[output])
    total = column(table, "total").view(VALUE_TYPES[taken])
    if fn is not Fn.MEAN:
        return total
    return pa.array(total.to_numpy().astype(np.float64) / column(table, "count").to_numpy())


def _middle(pairs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of the two middle values; of one middle value, itself, and nothing overflows."""
    low, high = pairs[0::2], pairs[1::2]
    with np.errstate(over="ignore"):
        plain = (low + high) / 2
    return np.where(np.isinf(plain) & np.isfinite(low), low / 2 + high / 2, plain)


def window_times(places: pa.Array, grid: Grid) -> pa.Array:
    """The stop of each window; of one that `grid` cuts, where it is cut."""
    bins = Bins(grid, 1)
    stop_ns = grid.span.stop_ns
    first_stop_ns = min(bins.first_ns + grid.every_ns, stop_ns)
    if grid.count == 1:
        return pa.repeat(pa.scalar(first_stop_ns, pa.int64()), len(places))
    whole = (stop_ns - bins.first_ns) // grid.every_ns
    numbers = places.to_numpy()
    return pa.array(np.where(numbers < whole, first_stop_ns + numbers * grid.every_ns, stop_ns))
