"""JSON payloads: sensors with their values, ThingsBoard telemetry, and one object per line.

docs/upstream.md shows each of them. Texts are made by columns; no value becomes a Python object.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.bisection import Part, Sensors
from service.domain.series import FieldSeries
from service.domain.timerange import TimeRange, format_time, parse_time
from service.encoding.json_rows import json_text
from service.encoding.time_texts import rfc3339
from service.encoding.value_texts import json_escaped
from service.errors import InvalidParameter
from service.transfer.dead_letters import DeadLetter
from service.upstream.document import Ints
from service.upstream.value_table import Rows, ValueTable, chosen, rows_of

_TEXT = pa.large_string()
_MS_NS = 1_000_000


class JsonDocument:
    """What all JSON payloads share: an item is a value of the table."""

    content_type = "application/json"

    def __init__(self, table: ValueTable, letters: list[DeadLetter]) -> None:
        self.letters = letters
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def values(self, part: Part) -> int:
        return len(part)

    def sensors_of(self, part: Part) -> Sensors:
        sensors = self._table.sensor_of_row
        return int(sensors[part[0]]), int(sensors[part[-1]])

    def dead_letters(self, part: Part, code: str, reason: str, **members: object) -> list[DeadLetter]:
        return self._table.dead_letters(part, code, reason, **members)

    def places(self, part: Part) -> Ints:
        return np.arange(len(part))

    def named(self, part: Part, sensor: str, timestamp: str | int | None) -> Ints:
        rows = rows_of(part)
        number = self._numbers.get(sensor)
        if number is None:
            return np.zeros(0, np.int64)
        start, stop = np.searchsorted(self._table.sensor_of_row[rows], [number, number + 1]).tolist()
        positions: Ints = np.arange(start, stop)
        if timestamp is None:
            return positions
        unit = self._unit(timestamp)
        if unit is None:
            return positions[:0]
        at_time: Ints = positions[self._units(self._table.times_ns[rows][start:stop]) == unit]
        return at_time

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """The number of each sensor."""
        return {name: number for number, name in enumerate(self._table.names)}

    @cached_property
    def _members(self) -> pa.LargeStringArray:
        """The name of each sensor as that of a member of an object, with its colon."""
        return _joined('"', json_escaped(pa.array(self._table.names, pa.string())).cast(_TEXT), '":')

    def _units(self, times_ns: Ints) -> Ints:
        """Times as this payload counts them."""
        return times_ns

    def _unit(self, timestamp: str | int) -> int | None:
        """The time that an upstream named, in the same unit; None: it is none."""
        try:
            return parse_time(timestamp, "timestamp") if isinstance(timestamp, str) else None
        except InvalidParameter:
            return None


class SensorsDocument(JsonDocument):
    """`{"start_time", "end_time", "data": {"<sensor>": [{"timestamp", "value"}, …]}}`."""

    def __init__(self, table: ValueTable, letters: list[DeadLetter], window: TimeRange) -> None:
        super().__init__(table, letters)
        times = {"start_time": format_time(window.start_ns), "end_time": format_time(window.stop_ns)}
        self._opening = f'{json_text(times)[:-1]},"data":{{'.encode()

    def body(self, part: Part) -> bytes:
        rows = rows_of(part)
        sensors = self._table.sensor_of_row[rows]
        text, ends = _bytes_of(chosen(self._entries, rows))
        firsts = np.flatnonzero(np.diff(sensors, prepend=-1))
        edges = ends[np.append(firsts, len(sensors))].tolist()
        pieces: list[bytes | memoryview] = [self._opening]
        separator = b""
        for number, start, stop in zip(sensors[firsts].tolist(), edges, edges[1:], strict=False):
            pieces += [separator, self._openings[number], text[start + 1 : stop], b"]"]
            separator = b","
        pieces.append(b"}}")
        return b"".join(pieces)

    @cached_property
    def _openings(self) -> list[bytes]:
        openings: list[bytes] = _joined(self._members, "[").cast(pa.large_binary()).to_pylist()
        return openings

    @cached_property
    def _entries(self) -> pa.LargeStringArray:
        """Each value with its time, after a comma."""
        times = rfc3339(self._table.times_ns, "UTC", ',{"timestamp":"', '","value":')
        return _joined(times.cast(_TEXT), self._table.json_values, "}")


class NdjsonDocument(JsonDocument):
    """`{"timestamp", "value", "sensor", "measurement", "field", "tags"}` for each value, in a line of its own."""

    content_type = "application/x-ndjson"

    def body(self, part: Part) -> bytes:
        text, ends = _bytes_of(chosen(self._lines, rows_of(part)))
        return bytes(text[ends[0] : ends[-1]])

    @cached_property
    def _lines(self) -> pa.LargeStringArray:
        table = self._table
        times = rfc3339(table.times_ns, "UTC", '{"timestamp":"', '","value":')
        sensor_of_series = np.zeros(len(table.series), np.int64)
        sensor_of_series[table.series_of_row] = table.sensor_of_row
        names = [table.names[number] for number in sensor_of_series.tolist()]
        tails = [_tail(name, series) for name, series in zip(names, table.series, strict=True)]
        return _joined(times.cast(_TEXT), table.json_values, pa.array(tails, _TEXT).take(pa.array(table.series_of_row)))


def _tail(name: str, series: FieldSeries) -> str:
    members = {
        "sensor": name,
        "measurement": series.measurement,
        "field": series.field,
        "tags": dict(series.tags),
    }
    return f",{json_text(members)[1:]}\n"


class ThingsBoardDocument(JsonDocument):
    """`[{"ts": <ms>, "values": {"<sensor>": <value>}}, …]`: values of one millisecond are in one element.

    Of several values of a sensor in one millisecond the last is posted. The others are dead letters.
    """

    def __init__(self, table: ValueTable, letters: list[DeadLetter]) -> None:
        super().__init__(table, letters)
        self._ms: Ints = table.times_ns // _MS_NS
        is_last = np.ones(len(table), np.bool_)
        is_last[:-1] = (np.diff(table.sensor_of_row) != 0) | (np.diff(self._ms) != 0)
        self._kept: Ints = np.flatnonzero(is_last)
        reason = "ThingsBoard holds one value of a sensor in a millisecond, and a later one was sent."
        self.letters = [*letters, *table.dead_letters(np.flatnonzero(~is_last).tolist(), "same_millisecond", reason)]

    def __len__(self) -> int:
        return len(self._kept)

    def sensors_of(self, part: Part) -> Sensors:
        return super().sensors_of([int(self._kept[part[0]]), int(self._kept[part[-1]])])

    def dead_letters(self, part: Part, code: str, reason: str, **members: object) -> list[DeadLetter]:
        return super().dead_letters(self._kept[rows_of(part)].tolist(), code, reason, **members)

    def places(self, part: Part) -> Ints:
        rows: Rows = self._kept[rows_of(part)]
        places: Ints = np.unique(self._ms[rows], return_inverse=True)[1]
        return places

    def named(self, part: Part, sensor: str, timestamp: str | int | None) -> Ints:
        return super().named(self._kept[rows_of(part)].tolist(), sensor, timestamp)

    def _units(self, times_ns: Ints) -> Ints:
        return times_ns // _MS_NS

    def _unit(self, timestamp: str | int) -> int | None:
        return timestamp if isinstance(timestamp, int) else None

    def body(self, part: Part) -> bytes:
        rows: Ints = self._kept[rows_of(part)]
        order = np.lexsort((self._table.sensor_of_row[rows], self._ms[rows]))
        rows = rows[order]
        ms = self._ms[rows]
        openings = _joined('}},{"ts":', pa.array(ms).cast(_TEXT), ',"values":{')
        is_first = pa.array(np.diff(ms, prepend=ms[:1] - 1) != 0)
        text, ends = _bytes_of(
            _joined(pc.if_else(is_first, openings, pa.scalar(",", _TEXT)), self._entries.take(pa.array(rows)))
        )
        return b"".join([b"[", text[ends[0] + len("}},") : ends[-1]], b"}}]"])

    @cached_property
    def _entries(self) -> pa.LargeStringArray:
        """Each value after its sensor."""
        return _joined(self._members.take(pa.array(self._table.sensor_of_row)), self._table.json_values)


def _joined(*parts: "str | pa.Array") -> pa.LargeStringArray:
    scalars: Sequence[object] = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*scalars, pa.scalar("", _TEXT))


def _bytes_of(texts: pa.LargeStringArray) -> tuple[memoryview, Ints]:
    """The bytes in which the texts stand, one after the other, and the start of each text and the end of the last."""
    _, ends, data = texts.buffers()
    bounds = np.frombuffer(ends, np.int64, len(texts) + 1, 8 * texts.offset)
    return memoryview(data) if data is not None else memoryview(b""), bounds
