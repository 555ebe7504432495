"""A table of any store holds exactly the values of a long read, and those of Flux's own windows."""

import pytest

from service.domain.durations import SECOND_NS
from service.domain.selection import Fn, Selection, Stamp, Windows
from service.encoding.series_columns import TableSeries
from service.encoding.table_rows import table_of
from service.stores.protocol import Store
from tests.support.fluxrows import aggregate_window
from tests.support.rows import Row, read, span, store_all
from tests.support.servers import InfluxServer

HOUR = span("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z")
LINES = "".join(
    f'm,host={host} f={minute}.5,i={minute}i,s="{host}{minute}",t={"true" if minute % 2 else "false"} '
    f"{HOUR.start_ns + minute * 60 * SECOND_NS}\n"
    for host, minutes in (("a", range(0, 60, 7)), ("b\\ c", range(3, 40, 11)))
    for minute in minutes
)


def cells(store: Store, bucket: str, windows: Windows | None) -> set[tuple[str, int, str]]:
    """Column, time and value of each cell of the table that has one."""
    reading = store.read(Selection(bucket, HOUR, windows))
    try:
        table = table_of(reading.blocks)
    finally:
        reading.cancel()
    times = table.rows.times.view("int64").to_pylist()
    return {
        (name, time_ns, repr(value))
        for name, column in table.rows.values.items()
        for time_ns, value in zip(times, column.to_pylist(), strict=True)
        if value is not None
    }


def as_cells(rows: list[Row]) -> set[tuple[str, int, str]]:
    named = {row: TableSeries(row.measurement, row.field, row.tags, row.type).name for row in rows}  # type: ignore[arg-type]
    return {(name, row.time_ns, row.shown) for row, name in named.items()}


@pytest.mark.parametrize(
    "windows", [None, Windows(600 * SECOND_NS), Windows(600 * SECOND_NS, Fn.LAST, stamp=Stamp.START)]
)
def test_a_table_holds_the_values_of_a_long_read(store: Store, bucket: str, windows: Windows | None) -> None:
    store_all(store, bucket, LINES)
    rows = read(store, bucket, HOUR, windows)
    assert cells(store, bucket, windows) == as_cells(rows)
    assert len(rows) > 10


def test_a_table_holds_the_values_of_flux(store: Store, bucket: str, influx: InfluxServer) -> None:
    store_all(store, bucket, LINES)
    reference = influx.new_bucket()
    influx.write(reference, LINES)
    windows = Windows(600 * SECOND_NS, Fn.MAX)
    where = 'r._field == "f" or r._field == "i"'
    assert cells(store, bucket, windows) == as_cells(aggregate_window(influx, reference, HOUR, windows, where))
