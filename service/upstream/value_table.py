"""The values of a batch in the order in which they are posted: by the name of the sensor, then by time.

So the values of one sensor are together, and a wrong sensor is found by bisection. The order of the frames does not
matter, except for values of one sensor at one time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.bisection import Part
from service.domain.sensor_template import SensorTemplate, TagMissing
from service.domain.series import FieldSeries
from service.encoding.value_texts import json_escaped, json_numbers
from service.frames import long_form
from service.frames.row_series import series_of
from service.transfer.dead_letters import DeadLetter, dead_letters_of_rows
from service.upstream.sensor_names import SensorNames, missing_tag_reason

Ints = npt.NDArray[np.int64]
Rows = slice | Ints
NO_NAME = "no_sensor_name"
_NOT_FINITE = "not_finite"
_TEXT = pa.large_string()


@dataclass(frozen=True)
class ValueTable:
    """Values, sorted. `names` and `series` are distinct; `sensor_of_row` and `series_of_row` are indices into them.

    `json_values` is the JSON of each value. Row i is row `row_in_frame[i]` of `frames[frame_of_row[i]]`.
    """

    names: Sequence[str]
    series: Sequence[FieldSeries]
    sensor_of_row: Ints
    series_of_row: Ints
    times_ns: Ints
    json_values: pa.LargeStringArray
    frames: Sequence[pa.RecordBatch]
    frame_of_row: Ints
    row_in_frame: Ints

    def __len__(self) -> int:
        return len(self.times_ns)

    def dead_letters(self, part: Part, code: str, reason: str, **members: object) -> list[DeadLetter]:
        """The values of a part, with one reason."""
        rows = rows_of(part)
        of_frame, in_frame = self.frame_of_row[rows], self.row_in_frame[rows]
        letters: list[DeadLetter] = []
        for number in np.unique(of_frame).tolist():
            chosen = self.frames[number].take(pa.array(in_frame[of_frame == number]))
            letters += dead_letters_of_rows(chosen, code, reason, **members)
        return letters


@dataclass(frozen=True)
class _NamedFrame:
    """The rows of a frame that can be posted: their series, and the sensor of each series."""

    frame: pa.RecordBatch
    series: Sequence[FieldSeries]
    names: Sequence[str]
    series_of_row: Ints


def rows_of(part: Part) -> Rows:
    """The rows of a part: a slice where they follow each other."""
    if isinstance(part, range):
        return slice(part.start, part.stop)
    return np.array(part, np.int64)


def chosen(column: pa.Array, rows: Rows) -> pa.Array:
    """These rows of a column."""
    return column[rows] if isinstance(rows, slice) else column.take(pa.array(rows))


def table_of(
    frames: Sequence[pa.RecordBatch],
    names: SensorNames,
    template: SensorTemplate,
) -> tuple[ValueTable, list[DeadLetter]]:
    """The table of long frames, and the values that it cannot hold: NaN, infinities, and those without a name."""
    letters: list[DeadLetter] = []
    named = [part for frame in frames if frame.num_rows for part in _named(frame, names, template, letters)]
    return _sorted_table(named), letters


def _named(
    frame: pa.RecordBatch,
    names: SensorNames,
    template: SensorTemplate,
    letters: list[DeadLetter],
) -> Iterator[_NamedFrame]:
    """The rows of a frame that can be posted, if there are any. Others are added to `letters`."""
    series, series_of_row = series_of(frame)
    sensors = []
    keep = np.ones(frame.num_rows, np.bool_)
    for number, field_series in enumerate(series):
        try:
            sensors.append(names.name(field_series))
        except TagMissing as missing:
            sensors.append("")
            nameless = series_of_row == number
            letters += dead_letters_of_rows(
                frame.filter(pa.array(nameless)), NO_NAME, missing_tag_reason(template, missing)
            )
            keep &= ~nameless
    if pa.types.is_floating(long_form.values(frame).type):
        finite = np.isfinite(long_form.values(frame).to_numpy())
        reason = "No JSON and no line protocol holds NaN or an infinity."
        if not finite.all():
            letters += dead_letters_of_rows(frame.filter(pa.array(keep & ~finite)), _NOT_FINITE, reason)
            keep &= finite
    if keep.all():
        yield _NamedFrame(frame, series, sensors, series_of_row)
    elif keep.any():
        yield _NamedFrame(frame.filter(pa.array(keep)), series, sensors, series_of_row[keep])


def _sorted_table(named: Sequence[_NamedFrame]) -> ValueTable:
    names = sorted({name for part in named for name in part.names})
    number_of_name = {name: number for number, name in enumerate(names)}
    number_of_series: dict[FieldSeries, int] = {}
    sensors, series = [_NO_INTS], [_NO_INTS]
    for part in named:
        of_series = [number_of_series.setdefault(key, len(number_of_series)) for key in part.series]
        series.append(np.array(of_series, np.int64)[part.series_of_row])
        sensors.append(np.array([number_of_name[name] for name in part.names], np.int64)[part.series_of_row])
    times = [_NO_INTS, *(long_form.times_ns(part.frame) for part in named)]
    in_frame = [_NO_INTS, *(np.arange(part.frame.num_rows) for part in named)]
    of_frame = np.repeat(np.arange(len(named)), [part.frame.num_rows for part in named])
    values = pa.concat_arrays([pa.array([], _TEXT), *(_json(long_form.values(part.frame)) for part in named)])
    table = ValueTable(
        names,
        list(number_of_series),
        np.concatenate(sensors),
        np.concatenate(series),
        np.concatenate(times),
        values,
        [part.frame for part in named],
        of_frame,
        np.concatenate(in_frame),
    )
    return table if _is_sorted(table) else _reordered(table, np.lexsort((table.times_ns, table.sensor_of_row)))


_NO_INTS: Ints = np.zeros(0, np.int64)


def _is_sorted(table: ValueTable) -> bool:
    sensors, times = table.sensor_of_row, table.times_ns
    is_later = (sensors[1:] == sensors[:-1]) & (times[1:] >= times[:-1])
    return bool(((sensors[1:] > sensors[:-1]) | is_later).all())


def _reordered(table: ValueTable, order: Ints) -> ValueTable:
    return ValueTable(
        table.names,
        table.series,
        table.sensor_of_row[order],
        table.series_of_row[order],
        table.times_ns[order],
        table.json_values.take(pa.array(order)),
        table.frames,
        table.frame_of_row[order],
        table.row_in_frame[order],
    )


def _json(values: pa.Array) -> pa.LargeStringArray:
    """The JSON of each value: integers in full, floats with the fewest digits that read back the same."""
    if pa.types.is_string(values.type):
        quote = pa.scalar('"', _TEXT)
        return pc.binary_join_element_wise(quote, json_escaped(values).cast(_TEXT), quote, pa.scalar("", _TEXT))
    return json_numbers(values).cast(_TEXT)
