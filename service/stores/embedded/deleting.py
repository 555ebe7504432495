"""Deletes points of one series and corrects the catalog, both in one transaction.

Afterwards the newest times are those of the remaining points. A shard group without a point of the measurement has no
types of it, as in InfluxDB. The caller holds the writer's lock.
"""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.series import FieldSeries
from service.domain.timerange import TimeRange
from service.stores.embedded import tables
from service.stores.embedded.catalog import NEVER, BucketContents, Catalog
from service.stores.embedded.transactions import Guard, roll_back


@dataclass(frozen=True)
class Deletion:
    """What is deleted: the points of `series`, all of `measurement`, in `span`, which touches these shard groups."""

    measurement: str
    series: tuple[FieldSeries, ...]
    span: TimeRange
    shards: dict[int, TimeRange]


def delete(
    cursor: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    contents: BucketContents,
    deletion: Deletion,
    guard: Guard,
) -> None:
    """Delete the points durably, then change the catalog."""
    numbers = [contents.ids[key] for key in deletion.series]
    field_types = {key.type for key in deletion.series}
    cursor.begin()
    try:
        cursor.register("deleted_series", _series(numbers))
        for field_type in field_types:
            cursor.execute(tables.DELETE_POINTS[field_type], [deletion.span.start_ns, deletion.span.stop_ns])
        newest_ns = dict.fromkeys(numbers, NEVER)
        for field_type in field_types:
            newest_ns.update(cursor.execute(tables.NEWEST_OF[field_type]).fetchall())
        emptied = _emptied(cursor, contents, deletion)
        cursor.execute(tables.FORGET_TYPES, [contents.id, deletion.measurement, sorted(emptied)])
        cursor.unregister("deleted_series")
        with guard():
            cursor.commit()
            catalog.newest_ns[list(newest_ns)] = list(newest_ns.values())
            contents.forget_types(deletion.measurement, emptied)
    except BaseException:
        roll_back(cursor)
        raise


def _emptied(cursor: duckdb.DuckDBPyConnection, contents: BucketContents, deletion: Deletion) -> set[int]:
    """The shard groups that hold no point of the measurement any more."""
    members = contents.members[deletion.measurement]
    field_types = {key.type for key in members}
    cursor.register("measurement_series", _series([contents.ids[key] for key in members]))
    emptied = set()
    for shard, span in deletion.shards.items():
        if not any(_holds(cursor, field_type, span) for field_type in field_types):
            emptied.add(shard)
    cursor.unregister("measurement_series")
    return emptied


def _holds(cursor: duckdb.DuckDBPyConnection, field_type: FieldType, span: TimeRange) -> bool:
    return bool(cursor.execute(tables.ANY_POINT[field_type], [span.start_ns, span.stop_ns]).fetchall())


def _series(numbers: list[int]) -> pa.Table:
    return pa.table({"series": pa.array(numbers, pa.int32())})
