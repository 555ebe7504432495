"""Every table of the file, and every statement that changes or loads one. Queries for reads are in `queries`.

A series is a measurement, its tags, a field and a type; its number stands in the value tables, of
which there is one for each type. There is no key on them: a bulk delete of the rows that a batch
rewrites, then a bulk insert, is five times as fast as an index.
"""

# ruff: noqa: S608 - only names that this module defines are put into the text

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

CREATE = (
    "CREATE TABLE IF NOT EXISTS format (version INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS buckets (id INTEGER NOT NULL, name VARCHAR NOT NULL, description VARCHAR NOT NULL,"
    " retention_ns BIGINT NOT NULL, shard_ns BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS series (id INTEGER NOT NULL, bucket INTEGER NOT NULL, measurement VARCHAR NOT NULL,"
    " tag_keys VARCHAR[] NOT NULL, tag_values VARCHAR[] NOT NULL, field VARCHAR NOT NULL, type VARCHAR NOT NULL)",
    "CREATE TABLE IF NOT EXISTS types (bucket INTEGER NOT NULL, measurement VARCHAR NOT NULL, field VARCHAR NOT NULL,"
    " shard BIGINT NOT NULL, type VARCHAR NOT NULL)",
    *(
        f"CREATE TABLE IF NOT EXISTS {table} (series INTEGER NOT NULL, time BIGINT NOT NULL, value {_SQL_TYPES[kind]} NOT NULL)"
        for kind, table in VALUES.items()
    ),
    f"INSERT INTO format SELECT {FORMAT} WHERE NOT EXISTS (FROM format)",
)
LOAD_FORMAT = "SELECT version FROM format"
LOAD_BUCKETS = "SELECT id, name, description, retention_ns, shard_ns FROM buckets ORDER BY id"
LOAD_SERIES = "SELECT id, bucket, measurement, tag_keys, tag_values, field, type FROM series ORDER BY id"
LOAD_TYPES = "SELECT bucket, measurement, field, shard, type FROM types"
LOAD_NEWEST = {kind: f"SELECT series, max(time) AS newest FROM {table} GROUP BY series" for kind, table in VALUES.items()}

ADD_BUCKET = "INSERT INTO buckets VALUES (?, ?, ?, ?, ?)"
UPDATE_BUCKET = "UPDATE buckets SET description = ?, retention_ns = ? WHERE id = ?"
ADD_SERIES = "INSERT INTO series SELECT id, bucket, measurement, tag_keys, tag_values, field, type FROM new_series"
ADD_TYPES = "INSERT INTO types SELECT bucket, measurement, field, shard, type FROM new_types"
ADD_VALUES = {kind: f"INSERT INTO {table} SELECT series, time, value FROM batch" for kind, table in VALUES.items()}
DROP_REWRITTEN = {
    kind: f"DELETE FROM {table} USING rewritten WHERE {table}.series = rewritten.series AND {table}.time = rewritten.time"
    f" AND {table}.time BETWEEN ? AND ?"
    for kind, table in VALUES.items()
}
DROP_EXPIRED = tuple(f"DELETE FROM {table} WHERE time < ? AND series IN (SELECT id FROM series WHERE bucket = ?)" for table in VALUES.values())
DROP_EXPIRED_TYPES = "DELETE FROM types WHERE shard < ? AND bucket = ?"
DELETE_POINTS = {
    kind: f"DELETE FROM {table} USING doomed WHERE {table}.series = doomed.series AND {table}.time >= ? AND {table}.time < ?"
    for kind, table in VALUES.items()
}
NEWEST_OF = {
    kind: f"SELECT series, max(time) AS newest FROM {table} WHERE series IN (SELECT series FROM doomed) GROUP BY series"
    for kind, table in VALUES.items()
}
ANY_POINT = {
    kind: f"SELECT 1 FROM {table} WHERE series IN (SELECT series FROM neighbours) AND time >= ? AND time < ? LIMIT 1"
    for kind, table in VALUES.items()
}
FORGET_TYPES = "DELETE FROM types WHERE bucket = ? AND measurement = ? AND shard IN (SELECT unnest(?))"
