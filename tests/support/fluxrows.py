"""What InfluxDB itself answers to a plain Flux query, as rows: the other opinion in the contract suite.

A small reader of annotated CSV, row by row and apart from the product's own. It is used where Flux is
exact: no line ends in strings, no field of two types.
"""

import csv
import io

from service.domain.schema import FieldType
from service.domain.selection import Stamp, Windows
from service.domain.timerange import TimeRange, format_time, parse_time
from tests.support.rows import Row
from tests.support.servers import InfluxServer

_TYPES = {
    "double": (FieldType.FLOAT, float),
    "long": (FieldType.INTEGER, int),
    "unsignedLong": (FieldType.UNSIGNED, int),
    "string": (FieldType.STRING, str),
    "boolean": (FieldType.BOOLEAN, lambda text: text == "true"),
}
_NO_TAGS = {"", "result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement"}


def aggregate_window(
    influx: InfluxServer, bucket: str, span: TimeRange, windows: Windows, where: str = "true"
) -> list[Row]:
    """Rows of `aggregateWindow(createEmpty: false)`, sorted; `where` is a Flux predicate over `r`."""
    zone = (
        f'import "timezone"\noption location = timezone.location(name: "{windows.zone}")\n'
        if windows.zone != "UTC"
        else ""
    )
    every = f"{windows.months}mo" if windows.months else f"{windows.every_ns}ns"
    source = ', timeSrc: "_start"' if windows.stamp is Stamp.START else ""
    query = f"""{zone}from(bucket: "{bucket}")
      |> range(start: {format_time(span.start_ns)}, stop: {format_time(span.stop_ns)})
      |> filter(fn: (r) => {where})
      |> aggregateWindow(every: {every}, fn: {windows.fn.value}, createEmpty: false{source})"""
    return rows_of_csv(influx.flux(query))


def rows_of_csv(text: str) -> list[Row]:
    rows, types, names = [], [], []
    for cells in csv.reader(io.StringIO(text, newline="")):
        if not cells or cells[0] in ("#group", "#default"):
            continue
        if cells[0] == "#datatype":
            types, names = cells, []
        elif not names:
            names = cells
            assert "error" not in names, text
        else:
            rows.append(_row(dict(zip(names, cells, strict=True)), types[names.index("_value")]))
    return sorted(rows)


def _row(cells: dict[str, str], datatype: str) -> Row:
    kind, read = _TYPES[datatype]
    tags = tuple(sorted((key, value) for key, value in cells.items() if key not in _NO_TAGS and value))
    shown = repr(read(cells["_value"]))  # type: ignore[operator]
    return Row(cells["_measurement"], tags, cells["_field"], parse_time(cells["_time"], "_time"), kind.value, shown)
