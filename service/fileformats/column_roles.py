"""Which columns of a table are time, measurement, tags and fields: as the caller names them, held against the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.near_names import near_names
from service.domain.schema import FieldType
from service.errors import FileRefused, InvalidParameter
from service.fileformats.time_cells import TimeForm

_MOST_SHOWN = 30


@dataclass(frozen=True)
class TableForm:
    """What the caller says of a table.

    `tags` and `fields` are columns with the names that they get; no `fields` means all columns that are nothing else.
    `types` are those of fields by the column's name; the type of any other is found out.
    """

    time: str | None = None
    time_form: TimeForm = field(default_factory=TimeForm)
    measurement: str | None = None
    measurement_column: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, FieldType] = field(default_factory=dict)
    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of a table by position. `tags` and `fields` hold names as the points have them."""

    names: tuple[str, ...]
    time: int
    measurement: str | int
    tags: Mapping[int, str]
    fields: Mapping[int, str]

    @property
    def used(self) -> list[int]:
        measurement = [self.measurement] if isinstance(self.measurement, int) else []
        return sorted({self.time, *measurement, *self.tags, *self.fields})


def roles_of(names: Sequence[str], form: TableForm, name: str) -> ColumnRoles:
    """The roles of the columns `names` of the file `name`.

    Raises:
        FileRefused: a column that is named is not there, or is there twice.
        InvalidParameter: the time or the measurement is not named, or a column has two roles.
    """
    if form.time is None:
        raise InvalidParameter("time", f"Name the column of times: --time. {_columns(names)}")
    if (form.measurement is None) == (form.measurement_column is None):
        raise InvalidParameter("measurement", "Give one of --measurement NAME and --measurement-column COLUMN.")
    places = _Places(names, name)
    time = places.of(form.time)
    measurement = form.measurement or places.of(form.measurement_column or "")
    tags = {places.of(column): target for column, target in form.tags.items()}
    taken = {time, *tags, *([measurement] if isinstance(measurement, int) else [])}
    if form.fields:
        fields = {places.of(column): target for column, target in form.fields.items()}
    else:
        fields = {place: column for place, column in enumerate(names) if place not in taken and column}
    for column in form.types:
        if places.of(column) not in fields:
            raise InvalidParameter("type", f"--type names {column!r}, which is no field of this import.")
    both = taken & set(fields)
    if both or len(tags) + len(taken - set(tags)) < len(form.tags) + 1:
        column = names[min(both or taken)]
        raise InvalidParameter("field", f"The column {column!r} has two roles. A column is time, tag or field.")
    if not fields:
        raise FileRefused(f"{name} has no column that could be a field beside the time and the tags. {_columns(names)}")
    for place in fields:
        places.of(names[place])
    _check_targets([*tags.values(), *fields.values()])
    return ColumnRoles(tuple(names), time, measurement, tags, fields)


class _Places:
    """Positions of columns by name."""

    def __init__(self, names: Sequence[str], name: str) -> None:
        self._names = list(names)
        self._name = name

    def of(self, column: str) -> int:
        count = self._names.count(column)
        if count == 1:
            return self._names.index(column)
        if count:
            raise FileRefused(f"{self._name} has {count} columns {column!r}. Rename one of them in the file.")
        near = near_names(column, self._names)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        alone = " Is it another separator? --sep ';' or --sep tab." if len(self._names) == 1 else ""
        raise FileRefused(f"{self._name} has no column {column!r}.{hint}{alone} {_columns(self._names)}")


def _columns(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return f"It has: {', '.join(map(repr, names[:_MOST_SHOWN]))}{more}."


def _check_targets(targets: Sequence[str]) -> None:
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise InvalidParameter("field", f"Two columns would be named {min(twice)!r}. Name them apart: COLUMN=NAME.")
