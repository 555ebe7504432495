"""One's own measurement as a class: its tags and fields are declared once, and each point of it is checked when made.

class Climate(Measurement, name="climate"):
    room: str = tag()
    celsius: float = field()

point = Climate(room="a", celsius=21.5)

A point is exact or refused with what to do: no NaN, no time without a zone, no value of another type. It never changes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import typing
from typing import Any, ClassVar, dataclass_transform

import pyarrow as pa

from fluxgate_client.columns import TEXT, Column, Layout, layout_of, marked
from fluxgate_client.errors import InvalidRequest
from fluxgate_client.point_values import checked_value, nanoseconds
from fluxgate_client.points import to_lines

if typing.TYPE_CHECKING:
    from collections.abc import Sequence

_TIME = "time"


def tag(*, name: str | None = None, default: Any = dataclasses.MISSING) -> Any:  # noqa: ANN401  (a member's default)
    """A tag: text, or None where it is declared `str | None`. `name`: as it is stored, if not like the member."""
    return dataclasses.field(default=default, metadata=marked(is_tag=True, name=name))


def field(*, name: str | None = None, default: Any = dataclasses.MISSING) -> Any:  # noqa: ANN401  (as above)
    """A field: float, int, UInt, bool or str. With `| None` it may be absent. `name`: as it is stored."""
    return dataclasses.field(default=default, metadata=marked(is_tag=False, name=name))


def _now() -> Any:  # noqa: ANN401  (a member's default)
    return dataclasses.field(default_factory=time.time_ns)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(tag, field))
class MeasurementBase:
    """Makes each subclass a frozen dataclass whose members are checked."""

    _layout: ClassVar[Layout]

    def __init_subclass__(cls, *, name: str | None = None) -> None:
        super().__init_subclass__()
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        cls._layout = layout_of(cls, name, leave_out=_TIME)


class Measurement(MeasurementBase):
    """A point of a measurement. Subclass it with `name=` and members that are `tag()` or `field()`.

    `time` is an aware datetime, or whole nanoseconds since 1970; without it, the moment at which the point is made. A
    subclass without `name=` is a base for others: its members are theirs, too.

    Raises InvalidRequest for a declaration or a value that cannot be stored exactly; the message names the member.
    """

    time: dt.datetime | int = _now()

    def __post_init__(self) -> None:
        layout, kind = self._layout, type(self).__name__
        if layout.measurement is None:
            raise InvalidRequest(f"{kind} has no name: write class {kind}(Measurement, name=…), or make a subclass.")
        has_value = False
        for column in layout.columns:
            value = checked_value(getattr(self, column.member), column, kind)
            object.__setattr__(self, column.member, value)
            has_value = has_value or (value is not None and not column.is_tag)
        if not has_value:
            raise InvalidRequest(f"{kind} has no value in any field: a point needs one.")
        object.__setattr__(self, "_time_ns", nanoseconds(self.time, f"{kind}.time"))

    @property
    def time_ns(self) -> int:
        """Its time in nanoseconds since 1970."""
        time_ns: int = self.__dict__["_time_ns"]
        return time_ns

    @property
    def measurement(self) -> str:
        """The name of its measurement."""
        return self._layout.measurement or ""

    @property
    def tags(self) -> dict[str, str]:
        """Its tags by their names in the store; an absent one is left out."""
        return self._values(is_tag=True)

    @property
    def fields(self) -> dict[str, float | int | bool | str]:
        """Its fields by their names in the store; an absent one is left out."""
        return self._values(is_tag=False)

    def _values(self, is_tag: bool) -> dict[str, Any]:
        columns = [column for column in self._layout.columns if column.is_tag is is_tag]
        values = {column.name: getattr(self, column.member) for column in columns}
        return {name: value for name, value in values.items() if value is not None}


def lines_of(points: Sequence[Measurement]) -> tuple[bytes, dict[int, Measurement]]:
    """The points as line protocol, and the point that begins at each line, counted from 1.

    Points of one class stand together. A text with line ends takes more than one line.
    """
    by_class: dict[type[Measurement], list[Measurement]] = {}
    for point in points:
        by_class.setdefault(type(point), []).append(point)
    lines = [_lines(kind._layout, same) for kind, same in by_class.items()]
    by_line, number = {}, 1
    for kind, same in by_class.items():
        texts = [column.member for column in kind._layout.columns if column.type == TEXT and not column.is_tag]
        for point in same:
            by_line[number] = point
            number += 1 + sum((getattr(point, member) or "").count("\n") for member in texts)
    return b"".join(lines), by_line


def _lines(layout: Layout, points: Sequence[Measurement]) -> bytes:
    times = pa.array([point.time_ns for point in points], pa.int64()).cast(pa.timestamp("ns", "UTC"))
    columns = {column.name: _array(column, points) for column in layout.columns}
    tags = [column.name for column in layout.columns if column.is_tag]
    return to_lines(pa.table({**columns, _TIME: times}), layout.measurement or "", tags, _TIME)


def _array(column: Column, points: Sequence[Measurement]) -> pa.Array:
    return pa.array([getattr(point, column.member) for point in points], column.type)
