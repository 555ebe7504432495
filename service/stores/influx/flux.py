"""Makes Flux text of names that may hold anything. The only module that quotes for Flux.

Each filter is a call of its own with the literal on the right, and `drop` is last. So the storage engine computes
everything up to the window (influxdb query/stdlib/influxdata/influxdb/rules.go).
"""

import re
from collections.abc import Iterable, Sequence

from service.domain.selection import Fn, Stamp
from service.domain.timerange import EVER, LATEST_NS, TimeRange, format_time
from service.domain.windows import Grid

_OWN_COLUMNS = frozenset({"_start", "_stop", "_time", "_value"})


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


def can_carry(measurement: str, field: str, tags: Iterable[str]) -> bool:
    """Whether an answer in CSV has these names as they are.

    CSV drops and doubles line ends. Tags that are named like Flux's own columns stop the query (2.9.1).
    """
    names = (measurement, field, *tags)
    return _OWN_COLUMNS.isdisjoint(names[2:]) and not any("\r" in name or "\n" in name for name in names)


def can_filter(key: str) -> bool:
    """Whether a filter on the tag `key` finds its series. Storage misreads keys with `@`, and `$` (2.9.1)."""
    return "@" not in key and key != "$"


def source(bucket: str, span: TimeRange) -> str:
    """The first two calls of a pipeline: the bucket and the range."""
    start, stop = instant(span.start_ns), instant(span.stop_ns)
    return f"from(bucket: {string(bucket)})\n  |> range(start: {start}, stop: {stop})"


def values_of_tag(bucket: str, key: str) -> str:
    """The values of a tag in all time, as rows of one table."""
    imported = 'import "influxdata/influxdb/schema"\n'
    start = instant(EVER.start_ns)
    return f"{imported}schema.tagValues(bucket: {string(bucket)}, tag: {string(key)}, start: {start})"


def any_of(column: str, values: Iterable[str]) -> str:
    """One filter call: the column equals one of `values`."""
    tests = " or ".join(f"r[{string(column)}] == {string(value)}" for value in values)
    return f"  |> filter(fn: (r) => {tests})"


def none_of(measurement: str, field: str) -> str:
    """One filter call: everything but a field of a measurement."""
    return f"  |> filter(fn: (r) => r._measurement != {string(measurement)} or r._field != {string(field)})"


def any_field(fields: Iterable[tuple[str, str]]) -> str:
    """One filter call: one of some pairs of measurement and field."""
    tests = []
    for measurement, field in fields:
        tests.append(f"(r._measurement == {string(measurement)} and r._field == {string(field)})")
    return f"  |> filter(fn: (r) => {' or '.join(tests)})"


def windows(grid: Grid, fn: Fn, stamp: Stamp = Stamp.STOP) -> str:
    """Windows of a grid. Without an offset none is written: only then old servers compute it in storage.

    With `Stamp.POINT` the function is one that selects points.
    """
    offset = f", offset: {grid.offset_ns}ns" if grid.offset_ns else ""
    if stamp is Stamp.POINT:
        return f"  |> window(every: {grid.every_ns}ns{offset})\n  |> {fn}()"
    source = ', timeSrc: "_start"' if stamp is Stamp.START else ""
    return f"  |> aggregateWindow(every: {grid.every_ns}ns, fn: {fn}, createEmpty: false{offset}{source})"


def corner_points(points: Sequence[str], grid: Grid) -> str:
    """The points of `Fn.M4` of each window: each once, and by time. `points`: the steps before the windows.

    The storage engine computes each of the four functions by itself, as it does only for the first function of a
    pipeline: so the steps are written four times. Of points with the same value it takes the first (2.9.1).
    """
    picks = (Fn.FIRST, Fn.LAST, Fn.MIN, Fn.MAX)
    tables = ",\n".join(pipeline(*points, windows(grid, fn, Stamp.POINT)) for fn in picks)
    return f'union(tables: [\n{tables}\n])\n  |> sort(columns: ["_time"])\n  |> unique(column: "_time")'


def density(points: Sequence[str], grid: Grid) -> str:
    """How many points there are, and windows of series that hold some: one row with `points` and `windows`, or none.

    `points`: the steps of a pipeline before its windows. A count without windows was seen never to end near the ends of
    time (2.9.1), so it has those of the read.
    """
    counted = "{points: accumulator.points + r._value, windows: accumulator.windows + 1}"
    reduced = f"reduce(identity: {{points: 0, windows: 0}}, fn: (r, accumulator) => ({counted}))"
    return "\n".join([*points, windows(grid, Fn.COUNT), "  |> group()", f"  |> {reduced}"])


_CODES = {"b": "\\", "n": "\n", "r": "\r"}
_DROP = '  |> drop(columns: ["_start", "_stop"])'


def pipeline(*steps: str) -> str:
    """The steps as one query, without the columns that nobody reads."""
    return "\n".join([*steps, _DROP])


def as_text(pipeline: str) -> str:
    """`pipeline`, whose values are text, as a result whose values CSV does not change. `plain_text` reads them."""
    escaped = "r._value"
    for letter, code in (("\\", "\\b"), ("\n", "\\n"), ("\r", "\\r")):
        escaped = f"strings.replaceAll(v: {escaped}, t: {string(letter)}, u: {string(code)})"
    return f'{pipeline}\n  |> map(fn: (r) => ({{r with _value: "=" + {escaped}}}))\n  |> yield(name: "text")'


def plain_text(carried: str) -> str:
    """The text that `as_text` wrote as `carried`."""
    return re.sub(r"\\(.)", lambda match: _CODES[match[1]], carried[1:])
