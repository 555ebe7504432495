"""Raw points out of InfluxQL's MessagePack: the exact road, for text and for fields of several types.

It keeps an empty text apart from an absent one, line breaks, and the type of each value. Slower than
CSV, so only measurements that need it come this way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgpack
import numpy as np
import pyarrow as pa

from service.domain.schema import FieldType
from service.errors import FluxgateError, StoreBroken
from service.frames.frame import VALUE_TYPES, Block
from service.stores.influx.failures import query_failure, senseless
from service.stores.influx.labels import long_frame

_FIRST_BLOCK_ROWS, _BLOCK_ROWS = 1_000, 20_000
_LONGEST_MESSAGE = 512 * 1024 * 1024
WholeType = Callable[[str], FieldType]


@dataclass(frozen=True)
class Series:
    """Some rows of one series: its tags, and the columns `time`, then the fields."""

    tags: dict[str, str]
    columns: list[Sequence[Any]]


def series_of(chunks: Iterator[bytes]) -> Iterator[Series]:
    """The series of the first statement, in pieces of at most InfluxDB's chunk size.

    Raises:
        StoreBroken: no MessagePack, or the second statement's answer did not arrive.
        FluxgateError: InfluxDB reported an error.
    """
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=_LONGEST_MESSAGE)
    ended = False
    for chunk in chunks:
        unpacker.feed(chunk)
        for message in _messages(unpacker):
            found, last = _series(message)
            ended = ended or last
            yield from found
    if not ended:
        raise StoreBroken("InfluxDB's answer ended before its end mark: rows are missing. Ask again; if it stays so, look at its log and the link.")


def _series(message: dict[str, Any]) -> tuple[list[Series], bool]:
    """The points of one message, and whether it is the second statement's."""
    found, last = [], False
    try:
        for result in message.get("results", []):
            if "error" in result:
                raise _reported(result["error"])
            last = last or result.get("statement_id") == 1
            for series in result.get("series", []) if result.get("statement_id") == 0 else []:
                found.append(Series(series.get("tags") or {}, list(zip(*series.get("values", []), strict=True))))
    except (AttributeError, KeyError, TypeError, ValueError) as broken:
        raise senseless(broken) from broken
    return found, last


def _messages(unpacker: msgpack.Unpacker) -> Iterator[dict[str, Any]]:
    while True:
        try:
            message = unpacker.unpack()
        except msgpack.OutOfData:
            return
        except UnicodeDecodeError as broken:
            raise senseless(broken) from broken
        except (ValueError, msgpack.UnpackException, msgpack.BufferFull) as broken:
            finding = "InfluxDB answered something that is no MessagePack."
            raise StoreBroken(finding, advice="Check {url}.", upstream=str(broken)) from broken
        if not isinstance(message, dict):
            finding = "InfluxDB answered MessagePack that is no result."
            raise StoreBroken(finding, advice="Check {url}, and what stands between.")
        if "error" in message:
            raise _reported(message["error"])
        yield message


def _reported(error: object) -> FluxgateError:
    return query_failure(str(error))


@dataclass
class PointSeries:
    """Gathers series into blocks of long frames. `whole_type` tells a slice's type of a field that was signed and unsigned."""

    measurement: str
    fields: Sequence[tuple[str, tuple[FieldType, ...]]]
    keys: tuple[str, ...]
    whole_type: WholeType
    _gathered: list[Series] = field(default_factory=list)
    _rows: int = 0
    _enough: int = _FIRST_BLOCK_ROWS

    def blocks(self, found: Iterator[Series]) -> Iterator[Block]:
        for series in found:
            if series.columns and len(series.columns) != 1 + len(self.fields):
                raise StoreBroken("InfluxDB answered rows with other columns than were asked for. Ask again.")
            if series.columns:
                self._gathered.append(series)
                self._rows += len(series.columns[0])
            if self._rows >= self._enough:
                yield self._take()
                self._enough = min(self._enough * 2, _BLOCK_ROWS)
        if self._gathered:
            yield self._take()

    def _take(self) -> Block:
        gathered, self._gathered, self._rows = self._gathered, [], 0
        times = pa.array(list(chain.from_iterable(series.columns[0] for series in gathered)), pa.int64())
        runs = np.repeat(np.arange(len(gathered), dtype=np.int32), [len(series.columns[0]) for series in gathered])
        codes = pa.array(runs)
        tags = [
            pa.DictionaryArray.from_arrays(codes, pa.array([series.tags.get(key) or None for series in gathered], pa.string())) for key in self.keys
        ]
        frames = []
        for place, (name, types) in enumerate(self.fields):
            values = list(chain.from_iterable(series.columns[place + 1] for series in gathered))
            for kind in self._types(name, types, values):
                column = _column(values, kind, len(types) > 1)
                frames.append(long_frame(kind, self.measurement, name, self.keys, times, column, tags))
        return tuple(frame for frame in frames if frame.num_rows)

    def _types(self, name: str, types: tuple[FieldType, ...], values: list[Any]) -> tuple[FieldType, ...]:
        """The types that values of a field have here. Within a slice one field has one type."""
        if len(types) == 1:
            return types
        found = {type(value) for value in values} - {type(None)}
        kinds = {_PYTHON_TYPES[one] for one in found if one is not int}
        if int in found:
            whole = [kind for kind in types if kind in (FieldType.INTEGER, FieldType.UNSIGNED)]
            kinds.add(whole[0] if len(whole) == 1 else self.whole_type(name))
        return tuple(kind for kind in FieldType if kind in kinds)


_PYTHON_TYPES = {float: FieldType.FLOAT, bool: FieldType.BOOLEAN, str: FieldType.STRING}
_OF_TYPE = {
    FieldType.FLOAT: float, FieldType.BOOLEAN: bool, FieldType.STRING: str, FieldType.INTEGER: int, FieldType.UNSIGNED: int,
}  # fmt: skip


def _column(values: list[Any], kind: FieldType, mixed: bool) -> pa.Array:
    if mixed:
        values = [value if type(value) is _OF_TYPE[kind] else None for value in values]
    try:
        return pa.array(values, VALUE_TYPES[kind])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as broken:
        raise StoreBroken(f"InfluxDB answered a value that is no {kind}. Ask again.", upstream=str(broken)) from broken
