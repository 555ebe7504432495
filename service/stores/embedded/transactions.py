"""The writer's side of the file: loads the catalog, stores a batch in one transaction, drops what expired.

A batch is there as a whole or not at all, after a kill too. The caller holds the writer's lock.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import duckdb
import numpy as np
import pyarrow as pa

from service.domain.schema import Bucket, FieldType
from service.domain.series import FieldSeries, SeriesKey
from service.frames.points import Points
from service.stores.duckdb_windows import column
from service.stores.embedded import tables, writing
from service.stores.embedded.catalog import BucketContents, Catalog
from service.stores.embedded.writing import Judgement, Rows

Guard = Callable[[], AbstractContextManager[object]]
"""The lock under which a commit and the change of the catalog become visible together."""


def load(cursor: duckdb.DuckDBPyConnection) -> Catalog:
    """The catalog of what the file holds."""
    catalog = Catalog()
    by_number: dict[int, BucketContents] = {}
    for number, name, description, retention_ns, shard_ns in cursor.execute(tables.LOAD_BUCKETS).fetchall():
        catalog.add_bucket(number, Bucket(name, description, retention_ns, shard_ns))
        by_number[number] = catalog.buckets[name]
    for _, bucket, measurement, tag_keys, tag_values, field, kind in cursor.execute(tables.LOAD_SERIES).fetchall():
        tags = tuple(zip(tag_keys, tag_values, strict=True))
        catalog.add_series(by_number[bucket], [FieldSeries(SeriesKey(measurement, tags), field, FieldType(kind))])
    for bucket, measurement, field, shard, kind in cursor.execute(tables.LOAD_TYPES).fetchall():
        by_number[bucket].add_type((measurement, field), shard, FieldType(kind))
    for statement in tables.LOAD_NEWEST.values():
        found = cursor.sql(statement).to_arrow_table()
        catalog.newest_ns[column(found, "series").to_numpy()] = column(found, "newest").to_numpy()
    return catalog


def store(
    cursor: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    contents: BucketContents,
    points: Points,
    judgement: Judgement,
    guard: Guard,
    check: Callable[[], None],
) -> None:
    """Store the accepted lines, durably; then let the catalog say so. What `check` raises leaves the file as it was."""
    used = writing.used_keys(points, judgement.accepted)
    new_keys = [points.keys[place] for place in used if points.keys[place] not in contents.ids]
    numbers = {key: catalog.series_count + place for place, key in enumerate(new_keys)}
    series_of_key = np.zeros(len(points.keys), np.int32)
    for place in used:
        key = points.keys[place]
        series_of_key[place] = numbers[key] if key in numbers else contents.ids[key]
    newest_ns = catalog.newest_ns
    batches = [writing.rows(points, values, series_of_key, judgement.accepted) for values in points.columns]
    cursor.begin()
    try:
        _add_series(cursor, contents, numbers)
        _add_types(cursor, contents, judgement)
        for batch in batches:
            check()
            _add_values(cursor, batch, _rewritten(batch, newest_ns, catalog.series_count))
        check()
        with guard():
            cursor.commit()
            catalog.add_series(contents, new_keys)
            for name, shard, kind in judgement.new_types:
                contents.add_type(name, shard, kind)
            for batch in batches:
                _note_newest(catalog, batch)
    except BaseException:
        roll_back(cursor)
        raise


def update_bucket(cursor: duckdb.DuckDBPyConnection, contents: BucketContents, bucket: Bucket, guard: Guard) -> None:
    """Give the bucket the description and the retention of `bucket`, durably; then let the catalog say so."""
    cursor.begin()
    try:
        cursor.execute(tables.UPDATE_BUCKET, [bucket.description, bucket.retention_ns, contents.id])
        with guard():
            cursor.commit()
            contents.bucket = bucket
    except BaseException:
        roll_back(cursor)
        raise


def drop_expired(cursor: duckdb.DuckDBPyConnection, contents: BucketContents, oldest_ns: int, first_shard: int, guard: Guard) -> None:
    """Delete what lies before `oldest_ns`, and forget the types of shard groups before `first_shard`."""
    cursor.begin()
    try:
        for statement in tables.DROP_EXPIRED:
            cursor.execute(statement, [oldest_ns, contents.id])
        cursor.execute(tables.DROP_EXPIRED_TYPES, [first_shard, contents.id])
        with guard():
            cursor.commit()
            contents.drop_shards_before(first_shard)
    except BaseException:
        roll_back(cursor)
        raise


def roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """A failed commit has rolled back already, and a broken file is opened anew: neither needs this to work."""
    with suppress(duckdb.Error):
        cursor.rollback()


def _rewritten(batch: Rows, newest_ns: writing.Ints, stored_series: int) -> writing.Mask:
    """Which rows may stand in the file already: those not newer than everything stored for their series."""
    known = batch.series < stored_series
    old = np.zeros(len(batch.series), np.bool_)
    old[known] = batch.times_ns[known] <= newest_ns[batch.series[known]]
    return old


def _add_values(cursor: duckdb.DuckDBPyConnection, batch: Rows, rewritten: writing.Mask) -> None:
    if not len(batch.series):
        return
    table = pa.table({"series": batch.series, "time": batch.times_ns, "value": batch.values})
    if rewritten.any():
        old = table.select(["series", "time"]).filter(pa.array(rewritten))
        times_ns = batch.times_ns[rewritten]
        cursor.register("rewritten", old)
        cursor.execute(tables.DROP_REWRITTEN[batch.type], [int(times_ns.min()), int(times_ns.max())])
        cursor.unregister("rewritten")
    cursor.register("batch", table)
    cursor.execute(tables.ADD_VALUES[batch.type])
    cursor.unregister("batch")


def _add_series(cursor: duckdb.DuckDBPyConnection, contents: BucketContents, numbers: dict[FieldSeries, int]) -> None:
    if not numbers:
        return
    texts = pa.list_(pa.string())
    table = pa.table(
        {
            "id": pa.array(numbers.values(), pa.int32()),
            "bucket": pa.repeat(pa.scalar(contents.id, pa.int32()), len(numbers)),
            "measurement": pa.array([key.measurement for key in numbers], pa.string()),
            "tag_keys": pa.array([[name for name, _ in key.tags] for key in numbers], texts),
            "tag_values": pa.array([[value for _, value in key.tags] for key in numbers], texts),
            "field": pa.array([key.field for key in numbers], pa.string()),
            "type": pa.array([key.type.value for key in numbers], pa.string()),
        }
    )
    cursor.register("new_series", table)
    cursor.execute(tables.ADD_SERIES)
    cursor.unregister("new_series")


def _add_types(cursor: duckdb.DuckDBPyConnection, contents: BucketContents, judgement: Judgement) -> None:
    new = judgement.new_types
    if not new:
        return
    table = pa.table(
        {
            "bucket": pa.repeat(pa.scalar(contents.id, pa.int32()), len(new)),
            "measurement": pa.array([name[0] for name, _, _ in new], pa.string()),
            "field": pa.array([name[1] for name, _, _ in new], pa.string()),
            "shard": pa.array([shard for _, shard, _ in new], pa.int64()),
            "type": pa.array([kind.value for _, _, kind in new], pa.string()),
        }
    )
    cursor.register("new_types", table)
    cursor.execute(tables.ADD_TYPES)
    cursor.unregister("new_types")


def _note_newest(catalog: Catalog, batch: Rows) -> None:
    if len(batch.series):
        ends = np.flatnonzero(np.append(batch.series[1:] != batch.series[:-1], True))
        series = batch.series[ends]
        catalog.newest_ns[series] = np.maximum(catalog.newest_ns[series], batch.times_ns[ends])
