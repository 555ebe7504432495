"""Which columns a table has: one for each series that has a value in it, under a name that no other series can have."""

from dataclasses import dataclass

from service.domain.schema import FieldType
from service.encoding.columns import Column, Role

_TIME = Column("_time", Role.TIME)


@dataclass(frozen=True, order=True)
class TableSeries:
    """A series of a table. Its order is that of the columns: measurement, field, tags, type."""

    measurement: str
    field: str
    tags: tuple[tuple[str, str], ...]
    type: FieldType

    @property
    def name(self) -> str:
        """`measurement.field{key=value,…}`, without braces for a series without tags.

        A backslash stands before each backslash, brace and bar; in a field before dots too; inside braces before
        commas and equals signs. So no two series have one name.
        """
        tags = ",".join(f"{_escaped(key, ',=')}={_escaped(value, ',=')}" for key, value in self.tags)
        name = f"{_escaped(self.measurement)}.{_escaped(self.field, '.')}"
        return f"{name}{{{tags}}}" if tags else name


def table_columns(series: list[TableSeries]) -> tuple[Column, ...]:
    """The time, then a column for each of `series`, in this order.

    Where a series changed its type, each type has a column, whose name ends with the type: `power.volts|integer`.
    """
    names = [key.name for key in series]
    repeated = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    return (
        _TIME,
        *(
            Column(f"{name}|{key.type.value}" if name in repeated else name, Role.FIELD, key.field, key.type)
            for name, key in zip(names, series, strict=True)
        ),
    )


def _escaped(text: str, letters: str = "") -> str:
    for letter in "\\{}|" + letters:
        text = text.replace(letter, f"\\{letter}")
    return text
