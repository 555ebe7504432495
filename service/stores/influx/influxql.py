"""Makes InfluxQL text of names that may hold anything. The only module that quotes for InfluxQL.

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


def can_quote(name: str) -> bool:
    """Whether a quoted identifier or a string literal can hold `name`."""
    return _UNSAYABLE.search(name) is None


def can_filter(key: str) -> bool:
    """Whether a condition can name the tag `key`. InfluxQL takes a tag `time`, in any case, for the time (2.9.1)."""
    return key.lower() != "time" and can_quote(key)


def identifier(name: str) -> str:
    """`name` as a quoted identifier."""
    return f'"{_escaped(name)}"'


def string(text: str) -> str:
    """`text` as a string literal."""
    return f"'{_escaped(text)}'"


def _escaped(text: str) -> str:
    if not can_quote(text):
        finding = f"{text!r} holds a NUL or a carriage return, which InfluxQL cannot say here."
        raise InvalidParameter("name", f"{finding} Rename it, or leave it out.")
    return text.translate(_ESCAPES)


def only(name: str) -> str:
    """A regular expression that matches `name` alone. A surrogate stands for a byte that is no UTF-8: such a name is
    matched together with those that have another such byte, or U+FFFD, in its place."""
    return f"/^{''.join(map(_letter, name))}$/"


def _letter(letter: str) -> str:
    if letter.isascii() and letter.isalnum():
        return letter
    return f"\\x{{{0xFFFD if 0xD800 <= ord(letter) <= 0xDFFF else ord(letter):x}}}"


def field(name: str, cast: str = "field") -> str:
    """A field in a list of columns. `cast` may name one of its types."""
    return f"{identifier(name)}::{cast}" if can_quote(name) else only(name)


def database(bucket: str) -> dict[str, str]:
    """The database and retention policy by which `/query` finds a bucket (influxdb dbrp/service.go parseDBRP).

    Raises:
        InvalidParameter: no query finds it. An empty policy would even lead from `x/` to a bucket `x` (seen on 2.9.1).
    """
    name, cut, policy = bucket.partition("/")
    if not name or (cut and not policy):
        finding = f"The bucket {bucket!r} begins or ends with a slash: InfluxDB cannot find it by InfluxQL."
        raise InvalidParameter("bucket", f"{finding} Rename it.")
    if not can_quote(bucket):
        finding = f"The name of the bucket {bucket!r} holds a NUL or a carriage return, which InfluxQL cannot say."
        raise InvalidParameter("bucket", f"{finding} Rename it.")
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
    return f"= {string(value)}" if can_quote(value) else f"=~ {only(value)}"


def source(bucket: str, measurement: str | None = None) -> str:
    """A measurement with its database and policy, which some statements need in full; None: all measurements."""
    place = database(bucket)
    name = "/.*/"
    if measurement is not None:
        name = identifier(measurement) if can_quote(measurement) else only(measurement)
    return f"{identifier(place['db'])}.{identifier(place['rp'])}.{name}"


def select_points(origin: str, fields: Iterable[str], keys: Iterable[str], span: TimeRange, tags: Tags) -> str:
    """All points of `fields`, series by series, each row with its tags as columns after the fields.

    The tags are columns because the `tags` cell of a CSV answer is not escaped (seen on 2.9.1).
    """
    columns = [field(name) for name in fields] + [f"{identifier(key)}::tag" for key in keys]
    selected = ", ".join(columns)
    return f"SELECT {selected} FROM {origin} WHERE {where(span, tags)} GROUP BY *"  # noqa: S608  (every name is quoted)


def edge_point(origin: str, fields: Fields, newest: bool, span: TimeRange = EVER, tags: Tags = ()) -> str:
    """The first or the last point that has one of `fields`.

    Each type of a field is named, because a query over several shards omits types that are not.
    """
    columns = ", ".join(field(name, field_type) for name, types in fields for field_type in types)
    order = "DESC" if newest else "ASC"
    return f"SELECT {columns} FROM {origin} WHERE {where(span, tags)} ORDER BY time {order} LIMIT 1"  # noqa: S608


def counts(origin: str, fields: Iterable[str], span: TimeRange, step_ns: int | None) -> str:
    """How many points each field has, of all series together.

    One row for each slice of `step_ns` that has points. `step_ns` None: one row for all of `span`.
    """
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
