"""The order of the rows of a windowed read, when they fit into one chunk per measurement and grid."""

from collections.abc import Mapping, Sequence

from service.domain.selection import ReadPlan
from service.domain.series import Tags
from service.stores.embedded.reading import ENOUGH_ROWS, Group, Member, Part
from service.stores.row_order import RowOrder, SeriesSortKey


def row_order(plan: ReadPlan, members: Mapping[str, Sequence[Member]], most_windows: int) -> RowOrder | None:
    """`members`: the series that are read, by measurement. `most_windows`: of one grid.

    None: a measurement may be cut into chunks, whose edges depend on the points, or a field changed its type so that
    rows of both types come in turns.
    """
    sections: dict[tuple[str, str], int] = {}
    for measurement in plan.measurements:
        of_measurement = list(members.get(measurement.name, ()))
        if len(of_measurement) > ENOUGH_ROWS:
            return None
        group = Group(measurement, of_measurement)
        fields = {field.name: field for field in measurement.fields}
        rows = group.rows_of_window
        if most_windows > 1 and (rows is None or most_windows * rows > ENOUGH_ROWS):
            return None
        if group.is_mixed and any(len(field.output) > 1 for field in fields.values()):
            return None
        numbers = {part: number for number, part in enumerate(group.parts)}
        for key, _ in of_measurement:
            sections[measurement.name, key.field] = numbers[Part.of(fields[key.field], key.type)]
    return RowOrder(sections, _by_tags_and_field, has_runs=False)


def _by_tags_and_field(_keys: tuple[str, ...], tags: Tags, field: str) -> SeriesSortKey:
    return tags, field
