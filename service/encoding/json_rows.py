"""Writes JSON and NDJSON rows: one object per row, without keys for absent values.

`null` stands for the values that JSON lacks: NaN and the infinities. Integers are printed in full, also beyond 2^53. A
float always has a point or an exponent.
"""

import json
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.timerange import TimeRange
from service.encoding.columns import Column
from service.encoding.document import Piece
from service.encoding.label_texts import Part
from service.encoding.rows import Rows
from service.encoding.text_rows import TextRows
from service.encoding.time_texts import rfc3339
from service.encoding.value_texts import json_escaped, json_numbers


class NdjsonStyle:
    """One object per line."""

    before_time = '{"_time":"'
    after_time = '"'
    end = "}\n"

    def lead(self, column: Column) -> str:
        return f",{json_text(column.name)}:" if column.always else ""

    def label(self, column: Column, values: pa.StringArray) -> pa.StringArray:
        lead = "" if column.always else f",{json_text(column.name)}:"
        return pc.binary_join_element_wise(f'{lead}"', json_escaped(values), '"', "")

    def value(self, column: Column, values: pa.Array) -> list[Part]:
        lead = "" if column.always else f",{json_text(column.name)}:"
        text = pa.types.is_string(values.type)
        parts: list[Part] = [f'{lead}"', json_escaped(values), '"'] if text else [lead, json_numbers(values)]
        return [pc.binary_join_element_wise(*parts, "")] if values.null_count else parts


class JsonStyle(NdjsonStyle):
    """Objects of an array, each after a comma. `JsonDocument` removes the first comma."""

    before_time = ',\n{"_time":"'
    end = "}"


def json_text(value: object) -> str:
    """The shortest JSON of `value`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class NdjsonDocument:
    """Rows and nothing else."""

    def __init__(self, columns: Sequence[Column], zone: str) -> None:
        self._rows = TextRows(columns, zone, NdjsonStyle())

    def begin(self) -> Iterable[Piece]:
        return ()

    def write(self, rows: Rows) -> Iterable[Piece]:
        return self._rows.write(rows)

    def flush(self) -> Iterable[Piece]:
        return ()

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        return ()


class JsonDocument:
    """`{"bucket", "start", "stop", "every", "rows": [...]}`, and `"truncated"` at the end when there was a limit."""

    def __init__(self, columns: Sequence[Column], zone: str, bucket: str, span: TimeRange, every: str) -> None:
        self._rows = TextRows(columns, zone, JsonStyle())
        start, stop = (_instant(time_ns, zone) for time_ns in (span.start_ns, span.stop_ns))
        self._members = {"bucket": bucket, "start": start, "stop": stop, "every": every}
        self._empty = True

    def begin(self) -> Iterable[Piece]:
        yield f'{json_text(self._members)[:-1]},"rows":['.encode()

    def write(self, rows: Rows) -> Iterable[Piece]:
        for piece in self._rows.write(rows):
            yield piece[1:] if self._empty else piece
            self._empty = False

    def flush(self) -> Iterable[Piece]:
        return ()

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        member = "" if truncated is None else f',"truncated":{json_text(truncated)}'
        yield f"{'' if self._empty else chr(10)}]{member}}}\n".encode()


def _instant(time_ns: int, zone: str) -> str:
    text: str = rfc3339(np.array([time_ns]), zone)[0].as_py()
    return text
