"""How many points slices of time hold, of all series together: a small question to InfluxQL, and a small answer."""

from collections import Counter
from collections.abc import Collection

from service.domain.schema import MeasurementSchema
from service.domain.timerange import TimeRange, floor_to, subtract
from service.domain.windows import Grid
from service.stores.influx import influxql
from service.stores.influx.aggregates import whole_windows
from service.stores.influx.catalog import Catalog


def count_points(catalog: Catalog, bucket: str, measurements: Collection[str], span: TimeRange, step_ns: int) -> dict[int, int] | None:
    """By the slice's start, as the port promises. None when InfluxQL cannot say."""
    asked = [one for one in catalog.schema(bucket) if one.name in measurements]
    if not all(map(_is_sayable, asked)):
        return None
    whole = whole_windows(Grid(span, step_ns, 0))
    pieces: list[tuple[TimeRange, int | None]] = [] if whole is None else [(whole.span, step_ns)]
    pieces += [(edge, None) for edge in subtract(span, [one for one, _ in pieces])]  # in the first or in the last slice there is
    counts = Counter[int]()
    for one in asked:  # a request each: an answer comes when all of it is counted
        origin = catalog.source(bucket, one.name)
        found = catalog.sums(bucket, [influxql.counts(origin, one.fields, piece, every_ns) for piece, every_ns in pieces])
        for (piece, every_ns), sums in zip(pieces, found, strict=True):
            for time_ns, count in sums:
                counts[floor_to(piece.start_ns if every_ns is None else time_ns, step_ns)] += count
    return {start_ns: count for start_ns, count in counts.items() if count}


def _is_sayable(one: MeasurementSchema) -> bool:
    """InfluxQL casts a field that changed its type, or leaves some of it out, and takes no NUL or carriage return in a list of columns."""
    return not one.unreadable and all(len(types) == 1 and influxql.can_say(name) for name, types in one.fields.items())
