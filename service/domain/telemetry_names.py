"""The names under which telemetry is shown: plain where they can be, and never two things under one.

A measurement has its plain name, or `<bucket>/<measurement>` where several buckets hold it. Where a name would still be
that of two things, or of a coordinate, each of them takes its next longer one. The longest has `%`, `/` and `.` in its
parts encoded like in an address, so that no other thing can have it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from service.domain.telemetry import COORDINATES, Part, Source

K = TypeVar("K")
Leaf = tuple[Source, str]
"""A field of a measurement of a bucket."""
_ENCODED = str.maketrans({"%": "%25", "/": "%2F", ".": "%2E"})


@dataclass(frozen=True)
class Names(Generic[K]):
    """`shown`: the name of each thing. `renamed`: the names that are not the plain ones, sorted."""

    shown: Mapping[K, str] = field(default_factory=dict)
    renamed: tuple[str, ...] = ()

    def __getitem__(self, thing: K) -> str:
        return self.shown[thing]


def measurement_names(sources: Iterable[Source]) -> Names[Source]:
    """The name of each measurement. None is named like a coordinate."""
    distinct = set(sources)
    choices = {
        (bucket, name): (name, f"{bucket}/{name}", f"{_encoded(bucket)}/{_encoded(name)}") for bucket, name in distinct
    }
    return _chosen(choices, _shared(distinct), COORDINATES)


def flat_names(parts: Iterable[Part]) -> Names[Leaf]:
    """The name of each field with a value, as `<measurement>.<field>`."""
    leaves = {(part.source, name) for part in parts for name in part.values}
    shared = _shared(source for source, _ in leaves)
    choices = {
        ((bucket, measurement), name): (
            f"{measurement}.{name}",
            f"{bucket}/{measurement}.{name}",
            f"{_encoded(bucket)}/{_encoded(measurement)}.{_encoded(name)}",
        )
        for (bucket, measurement), name in leaves
    }
    return _chosen(choices, {leaf for leaf in leaves if leaf[0] in shared}, ())


def rest_name(by: str, devices: Collection[str]) -> str:
    """The name of what has no tag `by`: `(without <by>)`, in more parentheses when a device has that name."""
    name = f"(without {by})"
    while name in devices:
        name = f"({name})"
    return name


def _shared(sources: Iterable[Source]) -> set[Source]:
    """The measurements that several buckets hold."""
    distinct = set(sources)
    buckets = Counter(measurement for _, measurement in distinct)
    return {source for source in distinct if buckets[source[1]] > 1}


def _chosen(choices: Mapping[K, Sequence[str]], qualified: Collection[K], reserved: Collection[str]) -> Names[K]:
    """The first of the choices that nothing else has; of `qualified` things the first after the plain name."""
    level = {thing: int(thing in qualified) for thing in choices}
    while True:
        shown = {thing: choices[thing][level[thing]] for thing in choices}
        counts = Counter(shown.values())
        clashing = [
            thing
            for thing, name in shown.items()
            if (counts[name] > 1 or name in reserved) and level[thing] + 1 < len(choices[thing])
        ]
        if not clashing:
            return Names(shown, tuple(sorted(name for thing, name in shown.items() if level[thing])))
        for thing in clashing:
            level[thing] += 1


def _encoded(part: str) -> str:
    return part.translate(_ENCODED)
