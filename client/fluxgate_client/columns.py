"""What a class declares of a measurement: its name, and its members as columns of tags and fields, checked once."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pyarrow as pa

from fluxgate_client.errors import InvalidRequest
from fluxgate_client.points import RESERVED_NAMES, quoted, quoted_field, quoted_measurement

_UNSIGNED = "unsigned"
UInt = Annotated[int, _UNSIGNED]
"""The type of a field that holds whole numbers from 0 to 2**64-1."""
TAKEN_MEMBERS = ("fields", "measurement", "tags", "time_ns")
"""What a point has beside its members."""
TEXT = pa.large_string()
_IS_TAG, _NAME = "fluxgate_is_tag", "fluxgate_name"
_TYPES: Mapping[Any, pa.DataType] = {
    float: pa.float64(),
    int: pa.int64(),
    UInt: pa.uint64(),
    bool: pa.bool_(),
    str: TEXT,
}
_FORM = "float, int, UInt, bool or str, or one of them with | None"


@dataclass(frozen=True)
class Column:
    """A tag or field: the member of the class, its name in the store, its type, and whether it may be absent."""

    member: str
    name: str
    is_tag: bool
    type: pa.DataType
    optional: bool


@dataclass(frozen=True)
class Layout:
    """What a class stores. `measurement` None: a base for other classes."""

    measurement: str | None
    columns: Sequence[Column]


def marked(*, is_tag: bool, name: str | None) -> Mapping[str, object]:
    """The metadata of a dataclass's field that is a tag or field of a measurement."""
    return {_IS_TAG: is_tag, _NAME: name}


def layout_of(kind: type, measurement: str | None, leave_out: str) -> Layout:
    """The layout of a dataclass. `leave_out` is the member that holds the time.

    Raises InvalidRequest: a member of another type or without mark, a name that cannot be stored or stands twice, or a
    measurement without a field.
    """
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except NameError as unknown:
        raise InvalidRequest(
            f"The members of {kind.__name__} have a type that Python does not find ({unknown}). "
            "Import it at the top of the module."
        ) from None
    members = [member for member in dataclasses.fields(kind) if member.name != leave_out]
    columns = [_column(kind.__name__, member, hints[member.name]) for member in members]
    names = [column.name for column in columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InvalidRequest(f"{kind.__name__} stores two members as {twice[0]!r}. Give one of them another name.")
    if measurement is not None:
        quoted_measurement(measurement)
        if all(column.is_tag for column in columns):
            raise InvalidRequest(f"{kind.__name__} has no field: a point needs one. Write celsius: float = field().")
    return Layout(measurement, tuple(columns))


def _column(kind: str, member: "dataclasses.Field[Any]", hint: object) -> Column:
    place = f"{kind}.{member.name}"
    if _IS_TAG not in member.metadata:
        raise InvalidRequest(f"{place} is neither tag nor field: write {member.name}: … = tag() or = field().")
    if member.name in TAKEN_MEMBERS:
        advice = f'Take another member, and say name="{member.name}".'
        raise InvalidRequest(f"{place} would hide what every point has under that name. {advice}")
    name, is_tag = member.metadata[_NAME] or member.name, bool(member.metadata[_IS_TAG])
    if name in RESERVED_NAMES:
        raise InvalidRequest(f"{place} cannot be stored as {name!r}: InfluxDB keeps that name. Say name= to rename it.")
    if is_tag:
        quoted(name, f"the tag {name!r}")
    else:
        quoted_field(name)
    base, optional = _without_none(hint)
    if is_tag and base is not str:
        raise InvalidRequest(f"{place} is a tag, and a tag is text: declare it as str or str | None.")
    if base not in _TYPES:
        raise InvalidRequest(f"{place} is declared as {hint}. A field is {_FORM}.")
    return Column(member.name, name, is_tag, _TYPES[base], optional)


def _without_none(hint: object) -> tuple[Any, bool]:
    """The type, and whether None is allowed too."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    is_single = len(parts) == 1 and len(typing.get_args(hint)) == 2
    return (parts[0], True) if is_single else (hint, False)
