"""Flux text, built from names that may hold anything. Pure; the only place that quotes for Flux.

Filters stand one call each with the literal on the right, and `drop` stands last: so everything up
to the window is computed by the storage engine (influxdb query/stdlib/influxdata/influxdb/rules.go).
"""

import re
from collections.abc import Iterable

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
    """Whether an answer in CSV tells these names: it drops and doubles line ends, and tags named like its own columns stop the query (2.9.1)."""
    tags = tuple(tags)
    return not _OWN_COLUMNS.intersection(tags) and not any("\r" in name or "\n" in name for name in (measurement, field, *tags))


def can_filter(key: str) -> bool:
    """Whether a filter on the tag `key` finds its series: storage loses its way in keys with `@`, and takes `$` for the value (2.9.1)."""
    return "@" not in key and key != "$"


def source(bucket: str, span: TimeRange) -> str:
    return f"from(bucket: {string(bucket)})\n  |> range(start: {instant(span.start_ns)}, stop: {instant(span.stop_ns)})"


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
    tests = " or ".join(f"(r._measurement == {string(measurement)} and r._field == {string(field)})" for measurement, field in fields)
    return f"  |> filter(fn: (r) => {tests})"


def windows(grid: Grid, fn: Fn, stamp: Stamp = Stamp.STOP) -> str:
    """Windows of a grid. Without an offset none is written: only then old servers compute it in storage."""
    offset = f", offset: {grid.offset_ns}ns" if grid.offset_ns else ""
    source = ', timeSrc: "_start"' if stamp is Stamp.START else ""
    return f"  |> aggregateWindow(every: {grid.every_ns}ns, fn: {fn}, createEmpty: false{offset}{source})"


_CODES = {"b": "\\", "n": "\n", "r": "\r"}
_DROP = '  |> drop(columns: ["_start", "_stop"])'


def pipeline(*steps: str) -> str:
    return "\n".join([*steps, _DROP])


def as_text(pipeline: str) -> str:
    """`pipeline`, whose values are text, as a result of its own whose values CSV carries exactly: `plain_text` reads them."""
    escaped = "r._value"
    for letter, code in (("\\", "\\b"), ("\n", "\\n"), ("\r", "\\r")):
        escaped = f"strings.replaceAll(v: {escaped}, t: {string(letter)}, u: {string(code)})"
    return f'{pipeline}\n  |> map(fn: (r) => ({{r with _value: "=" + {escaped}}}))\n  |> yield(name: "text")'


def plain_text(carried: str) -> str:
    """The text that `as_text` wrote as `carried`."""
    return re.sub(r"\\(.)", lambda found: _CODES[found[1]], carried[1:])
