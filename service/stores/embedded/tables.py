"""Every table of the file, and every statement that changes or loads one. Queries for reads are in `queries`.

A series is a measurement, its tags, a field and a type. Its number is in the value tables; there is one of them for
each type. They have no key: deleting the rows that a batch rewrites, then a bulk insert, is five times as fast as an
index.
"""

from service.domain.schema import FieldType

FORMAT = 1
"""Raised when the tables change. A file of a later format is refused."""

VALUES: dict[FieldType, str] = {
    FieldType.FLOAT: "floats",
    FieldType.INTEGER: "integers",
    FieldType.UNSIGNED: "unsigneds",
    FieldType.STRING: "strings",
    FieldType.BOOLEAN: "booleans",
}
_SQL_TYPES = {
    FieldType.FLOAT: "DOUBLE",
    FieldType.INTEGER: "BIGINT",
    FieldType.UNSIGNED: "UBIGINT",
    FieldType.STRING: "VARCHAR",
    FieldType.BOOLEAN: "BOOLEAN",
}


def _for_each_type(statement: str) -> dict[FieldType, str]:
    """The statement for the table of each type, whose name stands for `{table}`."""
    return {field_type: statement.format(table=table) for field_type, table in VALUES.items()}


CREATE = (
    "CREATE TABLE IF NOT EXISTS format (version INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS buckets (id INTEGER NOT NULL, name VARCHAR NOT NULL, description VARCHAR NOT NULL,"
    " retention_ns BIGINT NOT NULL, shard_ns BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS series (id INTEGER NOT NULL, bucket INTEGER NOT NULL, measurement VARCHAR NOT NULL,"
    " tag_keys VARCHAR[] NOT NULL, tag_values VARCHAR[] NOT NULL, field VARCHAR NOT NULL, type VARCHAR NOT NULL)",
    "CREATE TABLE IF NOT EXISTS types (bucket INTEGER NOT NULL, measurement VARCHAR NOT NULL, field VARCHAR NOT NULL,"
    " shard BIGINT NOT NULL, type VARCHAR NOT NULL)",
    *(
        f"CREATE TABLE IF NOT EXISTS {table} (series INTEGER NOT NULL, time BIGINT NOT NULL, value {sql} NOT NULL)"
        for table, sql in zip(VALUES.values(), _SQL_TYPES.values(), strict=True)
    ),
    f"INSERT INTO format SELECT {FORMAT} WHERE NOT EXISTS (FROM format)",
)
LOAD_FORMAT = "SELECT version FROM format"
LOAD_BUCKETS = "SELECT id, name, description, retention_ns, shard_ns FROM buckets ORDER BY id"
LOAD_SERIES = "SELECT id, bucket, measurement, tag_keys, tag_values, field, type FROM series ORDER BY id"
LOAD_TYPES = "SELECT bucket, measurement, field, shard, type FROM types"
LOAD_NEWEST = _for_each_type("SELECT series, max(time) AS newest FROM {table} GROUP BY series")

ADD_BUCKET = "INSERT INTO buckets VALUES (?, ?, ?, ?, ?)"
UPDATE_BUCKET = "UPDATE buckets SET description = ?, retention_ns = ? WHERE id = ?"
ADD_SERIES = "INSERT INTO series SELECT id, bucket, measurement, tag_keys, tag_values, field, type FROM new_series"
ADD_TYPES = "INSERT INTO types SELECT bucket, measurement, field, shard, type FROM new_types"
ADD_VALUES = _for_each_type("INSERT INTO {table} SELECT series, time, value FROM batch")
DROP_REWRITTEN = _for_each_type(
    "DELETE FROM {table} AS v USING rewritten AS r"  # the bounds let DuckDB skip whole row groups
    " WHERE v.series = r.series AND v.time = r.time AND v.time BETWEEN ? AND ?",
)
DROP_EXPIRED = tuple(
    _for_each_type(
        "DELETE FROM {table} WHERE time < ? AND series IN (SELECT id FROM series WHERE bucket = ?)",
    ).values()
)
DROP_EXPIRED_TYPES = "DELETE FROM types WHERE shard < ? AND bucket = ?"
DELETE_POINTS = _for_each_type(
    "DELETE FROM {table} AS v USING deleted_series AS d WHERE v.series = d.series AND v.time >= ? AND v.time < ?",
)
NEWEST_OF = _for_each_type(
    "SELECT series, max(time) FROM {table} WHERE series IN (SELECT series FROM deleted_series) GROUP BY series",
)
ANY_POINT = _for_each_type(
    "SELECT 1 FROM {table} WHERE series IN (SELECT series FROM measurement_series) AND time >= ? AND time < ? LIMIT 1",
)
FORGET_TYPES = "DELETE FROM types WHERE bucket = ? AND measurement = ? AND shard IN (SELECT unnest(?))"
