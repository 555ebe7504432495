"""InfluxQL text, built from names that may hold anything. Pure; the only place that quotes for InfluxQL.

The scanner knows four escapes (backslash before n, backslash and both quotes), reads a carriage return as a
line feed and ends at NUL (influxql v1.3.0 scanner.go). A name that holds one of these, or is no Unicode, is said by a
regular expression that matches it alone, and refused where InfluxQL takes none.
"""

import re
from collections.abc import Iterable, Sequence

from service.domain.schema import FieldType
from service.domain.timerange import EVER, TimeRange
from service.errors import InvalidParameter

Tags = Sequence[tuple[str, tuple[str, ...]]]
Fields = Iterable[tuple[str, tuple[FieldType, ...]]]
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n"})
DEFAULT_POLICY = "autogen"
_UNSAYABLE = re.compile("[\r\0\ud800-\udfff]")


def can_say(name: str) -> bool:
    """Whether a quoted identifier or a string literal can hold `name`."""
    return _UNSAYABLE.search(name) is None


def can_filter(key: str) -> bool:
    """Whether a condition can name the tag `key`: one that is named like time, in whatever case, is taken for the time (2.9.1)."""
    return key.lower() != "time" and can_say(key)


def identifier(name: str) -> str:
    """`name` as a quoted identifier."""
    return f'"{_escaped(name)}"'


def string(text: str) -> str:
    """`text` as a string literal."""
    return f"'{_escaped(text)}'"


def _escaped(text: str) -> str:
    if not can_say(text):
        raise InvalidParameter("name", f"{text!r} holds a NUL or a carriage return, which InfluxQL cannot say here. Rename it, or leave it out.")
    return text.translate(_ESCAPES)


def only(name: str) -> str:
    """A regular expression that matches `name` alone. A surrogate stands for a byte that is no UTF-8: such a name is
    matched together with those that have another such byte, or U+FFFD, in its place."""
    return f"/^{''.join(map(_letter, name))}$/"


def _letter(letter: str) -> str:
    if letter.isascii() and letter.isalnum():
        return letter
    return f"\\x{{{0xFFFD if 0xD800 <= ord(letter) <= 0xDFFF else ord(letter):x}}}"


def field(name: str, kind: str = "field") -> str:
    """A field in a list of columns; `kind` may name one of its types."""
    return f"{identifier(name)}::{kind}" if can_say(name) else only(name)


def database(bucket: str) -> dict[str, str]:
    """The database and retention policy by which `/query` finds a bucket (influxdb dbrp/service.go parseDBRP).

    Raises:
        InvalidParameter: no query finds it. Beside `x`, an empty policy would even lead from `x/` to `x` (seen on 2.9.1).
    """
    name, cut, policy = bucket.partition("/")
    if not name or (cut and not policy):
        raise InvalidParameter("bucket", f"The bucket {bucket!r} begins or ends with a slash: InfluxDB cannot find it by InfluxQL. Rename it.")
    if not can_say(bucket):
        raise InvalidParameter("bucket", f"The name of the bucket {bucket!r} holds a NUL or a carriage return, which InfluxQL cannot say. Rename it.")
    return {"db": name, "rp": policy if cut else DEFAULT_POLICY}


def where(span: TimeRange, tags: Tags = ()) -> str:
    """The condition for a half-open range and filtered tags; values of one key mean "or".

    An empty value is left out: InfluxQL would take it for "without the tag", and no tag has it.
    """
    conditions = [f"time >= {span.start_ns}", f"time <= {span.stop_ns - 1}"]
    for key, values in tags:
        alternatives = " OR ".join(f"{identifier(key)}::tag {_equals(value)}" for value in values if value)
        conditions.append(f"({alternatives})")
    return " AND ".join(conditions)


def _equals(value: str) -> str:
    return f"= {string(value)}" if can_say(value) else f"=~ {only(value)}"


def source(bucket: str, measurement: str | None = None) -> str:
    """A measurement with its database and policy, which some statements need in full; None: all measurements."""
    found = database(bucket)
    named = "/.*/" if measurement is None else identifier(measurement) if can_say(measurement) else only(measurement)
    return f"{identifier(found['db'])}.{identifier(found['rp'])}.{named}"


def select_points(origin: str, fields: Iterable[str], keys: Iterable[str], span: TimeRange, tags: Tags) -> str:
    """All points of `fields`, series by series, each row with its tags as columns after the fields.

    The tags stand as columns because the `tags` cell of a CSV answer is not escaped (seen on 2.9.1).
    """
    columns = [field(name) for name in fields] + [f"{identifier(key)}::tag" for key in keys]
    return f"SELECT {', '.join(columns)} FROM {origin} WHERE {where(span, tags)} GROUP BY *"  # noqa: S608  (InfluxQL, every name quoted above)


def edge_point(origin: str, fields: Fields, newest: bool, span: TimeRange = EVER, tags: Tags = ()) -> str:
    """The first or the last point that has one of `fields`. Each type of a field is asked for: a query over shards hides the others."""
    columns = ", ".join(field(name, kind) for name, types in fields for kind in types)
    return f"SELECT {columns} FROM {origin} WHERE {where(span, tags)} ORDER BY time {'DESC' if newest else 'ASC'} LIMIT 1"  # noqa: S608


def counts(origin: str, fields: Iterable[str], span: TimeRange, step_ns: int | None) -> str:
    """How many points each field has, of all series together: a row for each slice of `step_ns` that has some; None: one row for all of `span`."""
    columns = ", ".join(f"COUNT({field(name)})" for name in fields)
    slices = "" if step_ns is None else f" GROUP BY time({step_ns}ns) fill(none)"
    return f"SELECT {columns} FROM {origin} WHERE {where(span)}{slices}"  # noqa: S608


def newest_value(origin: str, name: str, span: TimeRange) -> str:
    """The newest value of a field in each series, with its own time."""
    return f"SELECT LAST({field(name)}) FROM {origin} WHERE {where(span)} GROUP BY *"  # noqa: S608


def one_point(origin: str, name: str) -> str:
    """Any point of a measurement: its answer lists every tag key."""
    return f"SELECT {field(name)} FROM {origin} WHERE {where(EVER)} GROUP BY * LIMIT 1 SLIMIT 1"  # noqa: S608


def one_point_each(origin: str, condition: str) -> str:
    """Any point of each series that fits `condition`: its answer lists their tags."""
    return f"SELECT *::field FROM {origin} WHERE {condition} GROUP BY * LIMIT 1"  # noqa: S608


def any_tag_like(keys: Iterable[str], expression: str) -> str:
    """The condition that one of some tags matches a regular expression, whatever the time."""
    alternatives = " OR ".join(f"{identifier(key)}::tag =~ {expression}" for key in keys)
    return f"({alternatives}) AND {where(EVER)}"


def show_fields(origin: str) -> str:
    return f"SHOW FIELD KEYS FROM {origin}"


def show_tags() -> str:
    return "SHOW TAG KEYS"
