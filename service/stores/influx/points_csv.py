"""Decodes raw points out of InfluxQL's CSV: the fast way, for numbers and booleans.

One row has all fields of a series at one time. The time is an integer, and numbers have all their digits. CSV does not
mark its end, and omits the error of a statement. So a second statement follows, and its section must arrive: without it
the answer was cut, even if the connection was closed properly.
"""

import io
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as pacsv

from service.domain.schema import FieldType
from service.errors import EndMarkMissing, StoreBroken
from service.frames.frame import TEXT_CODES, VALUE_TYPES, Block
from service.stores.influx.annotated_csv import BLOCK_BYTES, FIRST_BLOCK_BYTES
from service.stores.influx.failures import ASK_AGAIN, unreadable_rows
from service.stores.influx.labels import long_frame

_END_HEADER = b"name,tags,fieldKey,fieldType\n"


def cut_sections(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The rows of the first statement in pieces of whole rows, without the header.

    Line protocol stores a line feed in a name or tag only after a backslash, which stays (seen on 2.9.1), and no name
    or tag ends with a backslash. So a line feed without a backslash ends a row, and two in a row end the section.

    Raises:
        EndMarkMissing: the section of the second statement did not arrive.
    """
    pending, begun, ended, enough = bytearray(), False, False, FIRST_BLOCK_BYTES
    for chunk in chunks:
        pending += chunk
        if ended or (len(pending) < enough and begun):
            continue
        rows, begun, ended = _take(pending, begun, final=False)
        if rows:
            enough = min(enough * 2, BLOCK_BYTES)
            yield rows
    while not ended:
        before = len(pending)
        rows, begun, ended = _take(pending, begun, final=True)
        if rows:
            yield rows
        if not ended and len(pending) == before:
            break
    if not ended or not _has_row(pending):
        raise EndMarkMissing(f"InfluxDB's answer ended before its end mark: rows are missing. {ASK_AGAIN}")


def _take(pending: bytearray, begun: bool, final: bool) -> tuple[bytes, bool, bool]:
    """Take whole rows from the front of `pending`. Also returns whether the header and the end mark were seen."""
    if not begun:
        line = _first_row_end(pending)
        if line < 0:
            return b"", False, False
        if pending.startswith(_END_HEADER):
            return b"", True, True
        if not pending.startswith(b"name,tags,time,"):
            raise StoreBroken(
                f"InfluxDB answered a query for points with {bytes(pending[:80])!r}.",
                advice="Check {url}, and what stands between.",
            )
        del pending[: line + 1]
    end = 0 if pending.startswith(b"\n") else pending.find(b"\n\n") + 1
    if end or pending.startswith(b"\n"):
        rows = bytes(pending[:end])
        del pending[: end + 1]
        if not (len(_END_HEADER) > len(pending) or pending.startswith(_END_HEADER)):
            raise StoreBroken("InfluxDB's answer holds a section that was not asked for.")
        return rows, True, True
    whole = _last_row_end(pending, len(pending) if final else len(pending) - 1) + 1
    rows = bytes(pending[:whole])
    del pending[:whole]
    return rows, True, False


def _first_row_end(text: bytearray) -> int:
    end = text.find(b"\n")
    while end > 0 and text[end - 1 : end] == b"\\":
        end = text.find(b"\n", end + 1)
    return end


def _last_row_end(text: bytearray, stop: int) -> int:
    end = text.rfind(b"\n", 0, stop)
    while end > 0 and text[end - 1 : end] == b"\\":
        end = text.rfind(b"\n", 0, end)
    return end


def _has_row(section: bytes | bytearray) -> bool:
    return section.startswith(_END_HEADER) and section.count(b"\n") >= 2


class PointRows:
    """Turns rows into blocks of long frames, one per field. They share times and tags where no value is absent."""

    def __init__(self, measurement: str, fields: Sequence[tuple[str, FieldType]], keys: tuple[str, ...]) -> None:
        self._measurement = measurement
        self._fields = fields
        self._keys = keys
        field_names = [f"f{place}" for place in range(len(fields))]
        names = ["name", "tags", "time", *field_names, *(f"t{place}" for place in range(len(keys)))]
        types = {"time": pa.int64()}
        types |= {f"f{place}": VALUE_TYPES[field_type] for place, (_, field_type) in enumerate(fields)}
        types |= {f"t{place}": TEXT_CODES for place in range(len(keys))}
        self._names = names
        self._parse = pacsv.ParseOptions(newlines_in_values=False)
        self._convert = pacsv.ConvertOptions(
            column_types=types,
            include_columns=names[2:],
            null_values=[""],
            strings_can_be_null=True,
            true_values=["true"],
            false_values=["false"],
        )

    def block(self, rows: bytes) -> Block:
        """Raises StoreBroken when a row does not fit the columns asked for."""
        read = pacsv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(rows) + 1)
        try:
            table = pacsv.read_csv(io.BytesIO(rows), read, self._parse, self._convert)
        except pa.ArrowInvalid as broken:
            raise unreadable_rows(broken) from broken
        columns = [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]
        times, values, tags = columns[0], columns[1 : 1 + len(self._fields)], columns[1 + len(self._fields) :]
        frames = (
            long_frame(field_type, self._measurement, name, self._keys, times, column, tags)
            for (name, field_type), column in zip(self._fields, values, strict=True)
        )
        return tuple(frame for frame in frames if frame.num_rows)
