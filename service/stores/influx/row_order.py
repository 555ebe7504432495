"""The order of the rows of a windowed read. Flux sorts its tables by their group keys (2.9.1, all functions).

A group key is the columns of a series by name, `_field` among them; an absent column comes before each value. Windows
from points are sorted alike, field by field.
"""

from service.domain.selection import ReadPlan, Selection
from service.domain.series import Tags
from service.stores.influx.aggregates import field_sections, skipped_types
from service.stores.row_order import RowOrder, SeriesSortKey


def row_order(selection: Selection, plan: ReadPlan) -> RowOrder | None:
    """None: a field keeps several types, so that its rows come in turns."""
    sections: dict[tuple[str, str], int] = {}
    skipped = skipped_types(plan.skipped)
    for measurement in plan.measurements:
        if any(len(field.output) > 1 for field in measurement.fields):
            return None
        for number, (_, fields) in enumerate(field_sections(measurement, selection, skipped)):
            sections |= {(measurement.name, field.name): number for field in fields}
    return RowOrder(sections, _group_key, has_runs=True)


def _group_key(keys: tuple[str, ...], tags: Tags, field: str) -> SeriesSortKey:
    columns = {**dict(tags), "_field": field}
    names = sorted((*keys, "_field"), key=str.encode)
    return tuple((name in columns, columns.get(name, "").encode()) for name in names)
