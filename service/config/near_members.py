"""Members that look like one that is unknown, for errors about configured values.

The place of the error is followed through the types of the model. A place that cannot be followed has no near members.
"""

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from service.domain.near_names import near_names


def near_members(model: type[BaseModel], place: Sequence[int | str]) -> tuple[str, ...]:
    """The members of the object that holds `place` that look like its last part, the nearest first."""
    *outer, name = place
    annotations: list[Any] = [model]
    for part in outer:
        annotations = [inner for annotation in annotations for inner in _inner(annotation, part)]
    known = {member for annotation in annotations for owner in _models(annotation) for member in _members(owner)}
    return near_names(str(name), sorted(known))


def _inner(annotation: object, part: int | str) -> Iterator[Any]:
    """The types below `part` of a value of this type. The tag of a union, which is no member, stays at the value."""
    for plain in _alternatives(annotation):
        origin, arguments = get_origin(plain), get_args(plain)
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            yield _members(plain).get(str(part), plain)
        elif isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) == 2:
            yield arguments[1]
        elif isinstance(origin, type) and issubclass(origin, Sequence) and arguments:
            yield arguments[0]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    for plain in _alternatives(annotation):
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            yield plain


def _alternatives(annotation: object) -> Iterator[Any]:
    """The types of a union, without annotations, and the root of a model that is one value."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _alternatives(argument)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and "root" in annotation.model_fields:
        yield from _alternatives(annotation.model_fields["root"].annotation)
    else:
        yield annotation


def _members(model: type[BaseModel]) -> dict[str, Any]:
    """The types of the members of `model`, under the names in which they are written."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
