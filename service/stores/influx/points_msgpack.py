"""Decodes raw points out of InfluxQL's MessagePack: the exact way, for text and for fields of several types.

MessagePack tells an empty text from an absent one, and keeps line breaks and the type of each value. It is slower than
CSV, so only measurements that need it are read in this way.
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
from service.stores.influx.failures import ASK_AGAIN, query_failure, unreadable_rows
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
        raise StoreBroken(f"InfluxDB's answer ended before its end mark: rows are missing. {ASK_AGAIN}")


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
        raise unreadable_rows(broken) from broken
    return pieces, is_last


def _messages(unpacker: msgpack.Unpacker) -> Iterator[dict[str, Any]]:
    while True:
        try:
            message = unpacker.unpack()
        except msgpack.OutOfData:
            return
        except UnicodeDecodeError as broken:
            raise unreadable_rows(broken) from broken
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
    """Collects series into blocks of long frames.

    `whole_type` gives the type that a field which was signed and unsigned has in the slice.
    """

    measurement: str
    fields: Sequence[tuple[str, tuple[FieldType, ...]]]
    keys: tuple[str, ...]
    whole_type: WholeType
    _pending: list[SeriesRows] = field(default_factory=list)
    _rows: int = 0
    _enough: int = _FIRST_BLOCK_ROWS

    def blocks(self, pieces: Iterator[SeriesRows]) -> Iterator[Block]:
        for piece in pieces:
            if len(piece.fields) != len(self.fields):
                raise StoreBroken("InfluxDB answered rows with other columns than were asked for. Ask again.")
            self._pending.append(piece)
            self._rows += len(piece.times)
            if self._rows >= self._enough:
                yield self._take()
                self._enough = min(self._enough * 2, _BLOCK_ROWS)
        if self._pending:
            yield self._take()

    def _take(self) -> Block:
        pieces, self._pending, self._rows = self._pending, [], 0
        times = pa.array(list(chain.from_iterable(piece.times for piece in pieces)), pa.int64())
        runs = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(piece.times) for piece in pieces])
        codes = pa.array(runs)
        tags = []
        for key in self.keys:
            texts = pa.array([piece.tags.get(key) or None for piece in pieces], pa.string())
            tags.append(pa.DictionaryArray.from_arrays(codes, texts))
        frames = []
        for place, (name, types) in enumerate(self.fields):
            values = list(chain.from_iterable(piece.fields[place] for piece in pieces))
            for field_type in self._types(name, types, values):
                column = _column(values, field_type, len(types) > 1)
                frames.append(long_frame(field_type, self.measurement, name, self.keys, times, column, tags))
        return tuple(frame for frame in frames if frame.num_rows)

    def _types(self, name: str, types: tuple[FieldType, ...], values: list[Any]) -> tuple[FieldType, ...]:
        """The types that values of a field have here. Within a slice one field has one type."""
        if len(types) == 1:
            return types
        python_types = {type(value) for value in values} - {type(None)}
        present = {_PYTHON_TYPES[python_type] for python_type in python_types if python_type is not int}
        if int in python_types:
            whole = [field_type for field_type in types if field_type in (FieldType.INTEGER, FieldType.UNSIGNED)]
            present.add(whole[0] if len(whole) == 1 else self.whole_type(name))
        return tuple(field_type for field_type in FieldType if field_type in present)


_PYTHON_TYPES = {float: FieldType.FLOAT, bool: FieldType.BOOLEAN, str: FieldType.STRING}
_OF_TYPE = {
    FieldType.FLOAT: float,
    FieldType.BOOLEAN: bool,
    FieldType.STRING: str,
    FieldType.INTEGER: int,
    FieldType.UNSIGNED: int,
}


def _column(values: list[Any], field_type: FieldType, mixed: bool) -> pa.Array:
    if mixed:
        values = [value if type(value) is _OF_TYPE[field_type] else None for value in values]
    try:
        return pa.array(values, VALUE_TYPES[field_type])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as broken:
        finding = f"InfluxDB answered a value that is no {field_type}. Ask again."
        raise StoreBroken(finding, upstream=str(broken)) from broken
