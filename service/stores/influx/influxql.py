"""InfluxQL text, built from names that may hold anything. Pure; the only place that quotes for InfluxQL.

The scanner knows four escapes (backslash before n, backslash and both quotes) and reads a carriage return as a
line feed (influxql v1.3.0 scanner.go): a name that holds one cannot be said, and is refused.
"""

from collections.abc import Iterable, Sequence

from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.errors import InvalidParameter

Tags = Sequence[tuple[str, tuple[str, ...]]]
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n"})


def identifier(name: str) -> str:
    """`name` as a quoted identifier."""
    return f'"{_escaped(name)}"'


def string(text: str) -> str:
    """`text` as a string literal."""
    return f"'{_escaped(text)}'"


def _escaped(text: str) -> str:
    if "\r" in text:
        raise InvalidParameter("name", f"{text!r} holds a carriage return, which InfluxQL cannot say: such a name cannot be read raw.")
    return text.translate(_ESCAPES)


def database(bucket: str) -> dict[str, str]:
    """The database and retention policy by which `/query` finds a bucket (influxdb dbrp/service.go parseDBRP)."""
    name, cut, policy = bucket.partition("/")
    if not name:
        raise InvalidParameter("bucket", f"The bucket {bucket!r} begins with a slash: InfluxDB cannot find it by InfluxQL. Rename it.")
    return {"db": name, "rp": policy if cut else "autogen"}


def where(span: TimeRange, tags: Tags = ()) -> str:
    """The condition for a half-open range and filtered tags; values of one key mean "or"."""
    conditions = [f"time >= {span.start_ns}", f"time <= {span.stop_ns - 1}"]
    for key, values in tags:
        alternatives = " OR ".join(f"{identifier(key)}::tag = {string(value)}" for value in values)
        conditions.append(f"({alternatives})")
    return " AND ".join(conditions)


def select_points(measurement: str, fields: Iterable[str], keys: Iterable[str], span: TimeRange, tags: Tags) -> str:
    """All points of `fields`, series by series, each row with its tags as columns after the fields.

    The tags stand as columns because the `tags` cell of a CSV answer is not escaped (seen on 2.9.1).
    """
    columns = [f"{identifier(field)}::field" for field in fields] + [f"{identifier(key)}::tag" for key in keys]
    return f"SELECT {', '.join(columns)} FROM {identifier(measurement)} WHERE {where(span, tags)} GROUP BY *"  # noqa: S608  (InfluxQL, every name quoted above)


def edge_point(measurement: str, newest: bool, span: TimeRange | None = None) -> str:
    """The first or the last point of a measurement."""
    condition = f" WHERE {where(span)}" if span else f" WHERE {where(TimeRange(EARLIEST_NS, LATEST_NS + 1))}"
    return f"SELECT * FROM {identifier(measurement)}{condition} ORDER BY time {'DESC' if newest else 'ASC'} LIMIT 1"  # noqa: S608


def show_fields(measurement: str | None = None) -> str:
    return "SHOW FIELD KEYS" + (f" FROM {identifier(measurement)}" if measurement is not None else "")


def show_tags() -> str:
    return "SHOW TAG KEYS"
