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
class SeriesRows:
    """Some rows of one series: its tags, the time of each row, and a column for each field."""

    tags: dict[str, str]
    times: Sequence[Any]
    fields: Sequence[Sequence[Any]]


def series_rows(chunks: Iterator[bytes]) -> Iterator[SeriesRows]:
    """The rows of the first statement by series, in pieces of at most InfluxDB's chunk size.

    Raises:
        StoreBroken: no MessagePack, or the second statement's answer did not arrive.
        FluxgateError: InfluxDB reported an error.
    """
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=_LONGEST_MESSAGE)
    ended = False
    for chunk in chunks:
        unpacker.feed(chunk)
        for message in _messages(unpacker):
            pieces, is_last = _pieces(message)
            ended = ended or is_last
            yield from pieces
    if not ended:
        raise StoreBroken("InfluxDB's answer ended before its end mark: rows are missing. Ask again; if it stays so, look at its log and the link.")


def _pieces(message: dict[str, Any]) -> tuple[list[SeriesRows], bool]:
    """The rows of one message, and whether it answers the second statement."""
    pieces, is_last = [], False
    try:
        for result in message.get("results", []):
            if "error" in result:
                raise _reported(result["error"])
            is_last = is_last or result.get("statement_id") == 1
            for series in result.get("series", []) if result.get("statement_id") == 0 else []:
                if series.get("values"):
                    times, *fields = zip(*series["values"], strict=True)
                    pieces.append(SeriesRows(series.get("tags") or {}, times, fields))
    except (AttributeError, KeyError, TypeError, ValueError) as broken:
        raise senseless(broken) from broken
    return pieces, is_last


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
    _gathered: list[SeriesRows] = field(default_factory=list)
    _rows: int = 0
    _enough: int = _FIRST_BLOCK_ROWS

    def blocks(self, pieces: Iterator[SeriesRows]) -> Iterator[Block]:
        for piece in pieces:
            if len(piece.fields) != len(self.fields):
                raise StoreBroken("InfluxDB answered rows with other columns than were asked for. Ask again.")
            self._gathered.append(piece)
            self._rows += len(piece.times)
            if self._rows >= self._enough:
                yield self._take()
                self._enough = min(self._enough * 2, _BLOCK_ROWS)
        if self._gathered:
            yield self._take()

    def _take(self) -> Block:
        gathered, self._gathered, self._rows = self._gathered, [], 0
        times = pa.array(list(chain.from_iterable(piece.times for piece in gathered)), pa.int64())
        runs = np.repeat(np.arange(len(gathered), dtype=np.int32), [len(piece.times) for piece in gathered])
        codes = pa.array(runs)
        tags = [
            pa.DictionaryArray.from_arrays(codes, pa.array([piece.tags.get(key) or None for piece in gathered], pa.string())) for key in self.keys
        ]
        frames = []
        for place, (name, types) in enumerate(self.fields):
            values = list(chain.from_iterable(piece.fields[place] for piece in gathered))
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
