"""Flux text, built from names that may hold anything. Pure; the only place that quotes for Flux.

Filters stand one call each with the literal on the right, and `drop` stands last: so everything up
to the window is computed by the storage engine (influxdb query/stdlib/influxdata/influxdb/rules.go).
"""

from collections.abc import Iterable

from service.domain.selection import Fn
from service.domain.timerange import LATEST_NS, TimeRange, format_time
from service.domain.windows import Grid


def string(text: str) -> str:
    """`text` as a string literal. `$` is written as a code, so that `${` never begins an expression."""
    escaped = []
    for character in text:
        if character in '\\"':
            escaped.append("\\" + character)
        elif character == "$" or ord(character) < 0x20 or ord(character) == 0x7F:
            escaped.append(f"\\x{ord(character):02x}")
        else:
            escaped.append(character)
    return f'"{"".join(escaped)}"'


def instant(time_ns: int) -> str:
    return format_time(min(time_ns, LATEST_NS))


def source(bucket: str, span: TimeRange) -> str:
    return f"from(bucket: {string(bucket)})\n  |> range(start: {instant(span.start_ns)}, stop: {instant(span.stop_ns)})"


def any_of(column: str, values: Iterable[str]) -> str:
    """One filter call: the column equals one of `values`."""
    tests = " or ".join(f"r[{string(column)}] == {string(value)}" for value in values)
    return f"  |> filter(fn: (r) => {tests})"


def none_of(measurement: str, field: str) -> str:
    """One filter call: everything but a field of a measurement."""
    return f"  |> filter(fn: (r) => r._measurement != {string(measurement)} or r._field != {string(field)})"


def windows(grid: Grid, fn: Fn) -> str:
    """Windows of a grid. Without an offset none is written: only then old servers compute it in storage."""
    offset = f", offset: {grid.offset_ns}ns" if grid.offset_ns else ""
    return f"  |> aggregateWindow(every: {grid.every_ns}ns, fn: {fn}, createEmpty: false{offset})"


_DROP = '  |> drop(columns: ["_start", "_stop"])'


def pipeline(*steps: str) -> str:
    return "\n".join([*steps, _DROP])
