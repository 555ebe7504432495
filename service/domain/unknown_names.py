"""Names in the filters of a read that the bucket does not know, with near ones that it does."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.near_names import near_names
from service.domain.schema import MeasurementSchema

_MOST_WITH_NEAR = 5
"""Looking for near names costs more than the rest, and the first few are enough."""


class FilterKind(StrEnum):
    """What a filter names."""

    MEASUREMENT = "measurement"
    FIELD = "field"
    TAG = "tag"
    VALUE = "value"


@dataclass(frozen=True)
class UnknownName:
    """A name that the bucket does not know, and near ones. `tag` is the key of the tag of a value, else empty."""

    kind: FilterKind
    name: str
    near: tuple[str, ...] = ()
    tag: str = ""


def unknown_names(
    schema: Iterable[MeasurementSchema],
    measurements: Collection[str],
    fields: Collection[str],
    tags: Collection[str],
) -> tuple[UnknownName, ...]:
    """Which of these names no measurement has. Fields and tag keys are looked for in the measurements that are named.

    When none of those exists, they are looked for in all.
    """
    known = {measurement.name: measurement for measurement in schema}
    named = [known[name] for name in measurements if name in known] or list(known.values())
    known_fields = {name: None for measurement in named for name in measurement.fields} if fields else {}
    known_tags = {name: None for measurement in named for name in measurement.tags} if tags else {}
    return (
        *unknown(FilterKind.MEASUREMENT, measurements, known),
        *unknown(FilterKind.FIELD, fields, known_fields),
        *unknown(FilterKind.TAG, tags, known_tags),
    )


def unknown(kind: FilterKind, names: Iterable[str], known: Collection[str], tag: str = "") -> Sequence[UnknownName]:
    """Those of `names` that are not `known`."""
    missing = sorted(name for name in names if name not in known)
    return [
        UnknownName(kind, name, near_names(name, known) if place < _MOST_WITH_NEAR else (), tag)
        for place, name in enumerate(missing)
    ]
