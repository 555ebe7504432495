"""Counts the points of slices of time, of all series together, by InfluxQL. The answer is small."""

from collections import Counter
from collections.abc import Collection

from service.domain.schema import MeasurementSchema
from service.domain.timerange import TimeRange, floor_to, subtract
from service.domain.windows import Grid
from service.stores.influx import influxql
from service.stores.influx.aggregates import whole_windows
from service.stores.influx.catalog import Catalog


def count_points(
    catalog: Catalog,
    bucket: str,
    measurements: Collection[str],
    span: TimeRange,
    step_ns: int,
) -> dict[int, int] | None:
    """The number of points by the start of their slice, as the port promises. None: InfluxQL cannot count them."""
    counted = [measurement for measurement in catalog.schema(bucket) if measurement.name in measurements]
    if not all(map(_is_countable, counted)):
        return None
    whole = whole_windows(Grid(span, step_ns, 0))
    pieces: list[tuple[TimeRange, int | None]] = [] if whole is None else [(whole.span, step_ns)]
    edges = subtract(span, [piece for piece, _ in pieces])  # parts of the first or the last slice
    pieces += [(edge, None) for edge in edges]
    counts = Counter[int]()
    for measurement in counted:  # a request each: InfluxDB answers when all of it is counted
        origin = catalog.source(bucket, measurement.name)
        queries = [influxql.counts(origin, measurement.fields, piece, every_ns) for piece, every_ns in pieces]
        sums_of_pieces = catalog.sums(bucket, queries)
        for (piece, every_ns), sums in zip(pieces, sums_of_pieces, strict=True):
            for time_ns, count in sums:
                counts[floor_to(piece.start_ns if every_ns is None else time_ns, step_ns)] += count
    return {start_ns: count for start_ns, count in counts.items() if count}


def _is_countable(measurement: MeasurementSchema) -> bool:
    """Whether InfluxQL counts all points. It casts or omits values of a field that changed its type.

    A list of columns cannot have names with a NUL or a carriage return.
    """
    if measurement.unreadable:
        return False
    return all(len(types) == 1 and influxql.can_quote(name) for name, types in measurement.fields.items())
