"""How a series is called at an upstream: a text with the members `{measurement}`, `{field}` and `{tag.KEY}`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from service.domain.series import FieldSeries
from service.errors import InvalidParameter

DEFAULT_TEMPLATE = "{measurement}.{field}"
_TAG = "tag."
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+", re.DOTALL)
_MEMBERS = "{measurement}, {field} and {tag.KEY}"


class TagMissing(ValueError):
    """A series lacks a tag that the template names. `key` is that tag."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


_Part = Callable[[FieldSeries], str]


@dataclass(frozen=True)
class SensorTemplate:
    """A parsed template. Two templates with the same text are equal."""

    text: str
    parts: Sequence[_Part] = field(repr=False, compare=False)

    def name(self, series: FieldSeries) -> str:
        """The name of the sensor of a series. Raises TagMissing."""
        return "".join(part(series) for part in self.parts)


def parse_template(text: str, parameter: str) -> SensorTemplate:
    """The template of `text`. `{{` and `}}` stand for braces. Raises InvalidParameter."""
    parts = tuple(_part(match, text, parameter) for match in _PART.finditer(text))
    if not any(part.func is not _constant for part in parts):
        finding = f"{parameter}={text[:100]!r} names nothing of the series, so all of them would be one sensor."
        raise InvalidParameter(parameter, f"{finding} Write a text with {_MEMBERS}.")
    return SensorTemplate(text, parts)


def _part(match: re.Match[str], text: str, parameter: str) -> partial[str]:
    written, member = match[0], match[1]
    if written in ("{{", "}}"):
        return partial(_constant, written[0])
    if written in ("{", "}"):
        finding = f"{parameter}={text[:100]!r} has a single {written}."
        raise InvalidParameter(parameter, f"{finding} Write {written * 2} for a brace, or a member: {_MEMBERS}.")
    if member is None:
        return partial(_constant, written)
    if member in ("measurement", "field"):
        return partial(_attribute, member)
    if member.startswith(_TAG) and len(member) > len(_TAG):
        return partial(_tag, member.removeprefix(_TAG))
    finding = f"{parameter}={text[:100]!r} has the member {written!r}, which is unknown."
    raise InvalidParameter(parameter, f"{finding} The members are {_MEMBERS}.")


def _constant(text: str, _series: FieldSeries) -> str:
    return text


def _attribute(name: str, series: FieldSeries) -> str:
    return str(getattr(series, name))


def _tag(key: str, series: FieldSeries) -> str:
    value = dict(series.tags).get(key)
    if value is None:
        raise TagMissing(key)
    return value
