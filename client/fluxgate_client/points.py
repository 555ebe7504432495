"""A table as line protocol, exact: every type with its mark, every float with its bits, times in nanoseconds.

Each row becomes one line, in the table's order; a null is an absent tag or field. What line protocol cannot hold, or
reads in two ways, is refused with the column's name before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from fluxgate_client.errors import InvalidRequest

if TYPE_CHECKING:
    import pandas as pd

    Table: TypeAlias = pa.Table | pa.RecordBatch | pd.DataFrame

_TEXT = pa.large_string()
_NOTHING = pa.scalar("", _TEXT)
_SPECIAL = re.compile(r"([, =])")
_MEASUREMENT_SPECIAL = re.compile(r"([, ])")
_UNCLEAR = re.compile(r'\\(?:[, ="\\]|$)')
"""A backslash that InfluxDB could take for an escape."""
_UNWRITABLE = re.compile("[\n\r\0]")
RESERVED_NAMES = ("time", "_time", "_field", "_measurement", "_value")


def to_lines(table: Table, measurement: str, tags: Sequence[str], time: str) -> bytes:
    """The rows of `table` as points of `measurement`. `tags` are text columns; all others but `time` are fields.

    `time` is a column of timestamps with a time zone. In pandas NaN, None and NaT are absent values.

    Raises:
        InvalidRequest: a name, type or value that cannot be written exactly; the message names the column.
    """
    rows = _as_arrow(table)
    _check_columns(rows, tags, time)
    times = _times(rows, time)
    head = [_scalar(quoted_measurement(measurement)), *(_tag(key, rows.column(key)) for key in sorted(tags))]
    fields = [part for name in rows.column_names if name not in (*tags, time) for part in _field(name, rows)]
    if rows.num_rows == 0:
        return b""
    if not fields:
        raise InvalidRequest(
            f"The table has no column with values beside {time!r} and the tags: a point needs a field."
        )
    values = pc.binary_join_element_wise(*fields, _NOTHING, null_handling="replace", null_replacement="")
    values = pc.utf8_slice_codeunits(values, 1)
    _check_rows(pc.equal(values, ""), "has no value in any field: a point needs one. Drop such rows")
    lines = _joined(*head, _scalar(" "), values, _scalar(" "), times, _scalar("\n"))
    return "".join(lines.to_pylist()).encode()


def _as_arrow(table: Table) -> pa.Table:
    try:
        if isinstance(table, pa.RecordBatch):
            rows = pa.Table.from_batches([table])
        else:
            rows = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
        rows.validate(full=True)
    except (ValueError, OverflowError, pa.ArrowTypeError, pa.ArrowNotImplementedError) as broken:
        raise InvalidRequest(f"The table has a column without one type that Arrow knows: {broken}.") from broken
    return rows


def _check_columns(rows: pa.Table, tags: Sequence[str], time: str) -> None:
    twice = {name for name in rows.column_names if rows.column_names.count(name) > 1}
    if twice:
        raise InvalidRequest(f"The column {min(twice)!r} stands twice in the table.")
    for name in (*tags, time):
        if name not in rows.column_names:
            raise InvalidRequest(
                f"The table has no column {name!r}. It has: {', '.join(map(repr, rows.column_names))}."
            )
    if time in tags or len(set(tags)) != len(tags):
        raise InvalidRequest(f"tags={list(tags)!r} names a column twice, or the column of times.")
    for name in rows.column_names:
        if name != time and name in RESERVED_NAMES:
            raise InvalidRequest(
                f"{name!r} cannot be the name of a tag or field. A table with one column per field is what is written:"
                " read with shape='wide', and drop columns that are not part of a point."
            )


def _times(rows: pa.Table, name: str) -> pa.ChunkedArray:
    column = rows.column(name)
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        raise InvalidRequest(
            f"{name!r} holds {column.type}, not timestamps with a time zone. In pandas: to_datetime(…, utc=True)."
        )
    _check_rows(column.is_null(), f"has no time in {name!r}")
    try:
        return column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).cast(_TEXT)
    except pa.ArrowInvalid as outside:
        raise InvalidRequest(f"The column {name!r} holds a time that nanoseconds cannot hold: {outside}.") from outside


def _tag(key: str, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Scalar:
    """`,key=value` of each row, and nothing where it is null. Each distinct value is quoted once."""
    before = f",{quoted(key, f'the tag {key!r}')}="
    if column.null_count == len(column):
        return _NOTHING
    texts = _plain(column)
    if texts.type != _TEXT:
        raise InvalidRequest(
            f"The tag {key!r} holds {column.type}: a tag is text. Name the text yourself, with a cast."
        )
    codes = texts.combine_chunks().dictionary_encode()
    values = [before + quoted(value, f"a value of the tag {key!r}") for value in codes.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(values, _TEXT).take(codes.indices).fill_null("")])


def _field(name: str, rows: pa.Table) -> Iterator[pa.ChunkedArray]:
    """`,name=value` of each row, null where the value is; nothing for a column without any value."""
    column = _plain(rows.column(name))
    if column.null_count == len(column):
        return
    before = _scalar(f",{quoted_field(name)}=")
    write = _WRITERS.get(column.type)
    if write is None:
        raise InvalidRequest(f"The field {name!r} holds {column.type}, not floats, integers, text or truth values.")
    if column.type == pa.float64():
        finite = pc.is_finite(column).fill_null(True)
        _check_rows(pc.invert(finite), f"holds NaN or infinity in {name!r}, which InfluxDB cannot store")
    yield pc.binary_join_element_wise(before, write(column), _NOTHING)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values in the widest type of their kind, which holds each of them exactly."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    for is_kind, wide in _WIDE:
        if is_kind(kind):
            return column.cast(wide)
    return column


def quoted_measurement(name: str) -> str:
    """`name` as it begins a line. Raises InvalidRequest."""
    _check_name(name, f"the measurement {name!r}")
    if name[0] in "#\t":
        raise InvalidRequest(f"The measurement {name!r} cannot begin with {name[0]!r}: the line would be a comment.")
    return _MEASUREMENT_SPECIAL.sub(r"\\\1", name)


def quoted_field(name: str) -> str:
    """`name` as it stands before the value of a field. Raises InvalidRequest."""
    if name.startswith("\t"):
        raise InvalidRequest("A field's name cannot begin with a tab: InfluxDB drops it.")
    return quoted(name, f"the field {name!r}")


def quoted(text: str, what: str) -> str:
    """A tag's key or value as it stands in a line. Raises InvalidRequest, which names it as `what`."""
    _check_name(text, what)
    return _SPECIAL.sub(r"\\\1", text)


def _check_name(text: str, what: str) -> None:
    if not text:
        raise InvalidRequest(f"InfluxDB stores no empty name: {what}. A tag that is absent is null.")
    if _UNWRITABLE.search(text):
        raise InvalidRequest(f"Line protocol holds no line end or NUL in a name or tag: {what}, {text!r}.")
    if _UNCLEAR.search(text):
        raise InvalidRequest(f"A backslash stands where InfluxDB reads it in two ways: {what}, {text!r}.")


def _check_rows(bad: pa.ChunkedArray, what: str) -> None:
    row = pc.index(bad, True).as_py()
    if row >= 0:
        raise InvalidRequest(f"Row {row} {what}.")


def _scalar(text: str) -> pa.Scalar:
    try:
        return pa.scalar(text, _TEXT)
    except UnicodeEncodeError:
        raise InvalidRequest(f"{text!r} holds half a character (a surrogate), which no name can.") from None


def _joined(*parts: pa.Scalar | pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*parts, _NOTHING)


def _number(mark: str) -> Callable[[pa.ChunkedArray], pa.ChunkedArray]:
    return lambda column: pc.binary_join_element_wise(column.cast(_TEXT), _scalar(mark), _NOTHING)


def _truth(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(column, _scalar("true"), _scalar("false"))


def _string(column: pa.ChunkedArray) -> pa.ChunkedArray:
    escaped = pc.replace_substring(pc.replace_substring(column, "\\", "\\\\"), '"', '\\"')
    return pc.binary_join_element_wise(_scalar('"'), escaped, _scalar('"'), _NOTHING)


_WIDE = (
    (pa.types.is_floating, pa.float64()),
    (pa.types.is_signed_integer, pa.int64()),
    (pa.types.is_unsigned_integer, pa.uint64()),
    (pa.types.is_string, _TEXT),
)
_WRITERS = {
    pa.float64(): _number(""),
    pa.int64(): _number("i"),
    pa.uint64(): _number("u"),
    pa.bool_(): _truth,
    _TEXT: _string,
}
