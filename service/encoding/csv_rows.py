"""Writes CSV as in RFC 4180, but with a line feed alone at the end of lines, as pandas, awk and InfluxDB expect.

An absent value is an empty cell, an empty string is `""`. Floats have the fewest digits that read back exactly, so a
whole float has no point: CSV carries no types.
"""

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from service.encoding.columns import Column
from service.encoding.document import Piece
from service.encoding.label_texts import Part
from service.encoding.rows import Rows
from service.encoding.text_rows import TextRows
from service.encoding.value_texts import csv_quoted, csv_values


@dataclass(frozen=True)
class CsvDialect:
    """`separator`: between cells. `mark`: begin with a byte order mark, by which Excel knows UTF-8."""

    separator: str = ","
    mark: bool = False


PLAIN_CSV = CsvDialect()


class CsvStyle:
    """Cells of CSV, each after a separator."""

    before_time = ""
    after_time = ""
    end = "\n"

    def __init__(self, separator: str) -> None:
        self._separator = separator

    def lead(self, column: Column) -> str:
        return self._separator

    def label(self, column: Column, values: pa.StringArray) -> pa.StringArray:
        return csv_quoted(values, self._separator)

    def value(self, column: Column, values: pa.Array) -> list[Part]:
        return [csv_values(values, self._separator)]


def csv_header(columns: Sequence[Column], separator: str) -> bytes:
    """The line of column names."""
    texts = csv_quoted(pa.array([column.name for column in columns], pa.string()), separator)
    return (separator.join(texts.to_pylist()) + "\n").encode()


class CsvDocument:
    """A header, then one line per row. Nothing ends it."""

    def __init__(self, columns: Sequence[Column], zone: str, dialect: CsvDialect) -> None:
        self._columns = columns
        self._dialect = dialect
        self._rows = TextRows(columns, zone, CsvStyle(dialect.separator))

    def begin(self) -> Iterable[Piece]:
        if self._dialect.mark:
            yield codecs.BOM_UTF8
        yield csv_header(self._columns, self._dialect.separator)

    def write(self, rows: Rows) -> Iterable[Piece]:
        return self._rows.write(rows)

    def flush(self) -> Iterable[Piece]:
        return ()

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        return ()
