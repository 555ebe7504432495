"""What a series is: a measurement with its tags, and for one of its fields also the field and the type of its values.

Stores, digests, deletes, dead letters and line protocol name a series by these two types alone. They are named tuples
because a write may name a million of them: they hash, compare and sort as fast as plain tuples.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from service.domain.schema import FieldType

Tags = tuple[tuple[str, str], ...]
"""Pairs of key and value, sorted by key, each key once. A tag that the series lacks has no pair."""


class SeriesKey(NamedTuple):
    """A measurement and its tags, as InfluxDB keys a series. All fields of a line belong to one key."""

    measurement: str
    tags: Tags = ()


def has_tags(tags: Tags, accepted: Iterable[tuple[str, Collection[str]]]) -> bool:
    """Whether a series with `tags` has one of the accepted values of each key in `accepted`."""
    values = dict(tags)
    return all(values.get(key) in texts for key, texts in accepted)


def series_text(measurement: str, tags: Mapping[str, str]) -> str:
    """A series as people read it: `power,meter=M-1,site=north`. It is not escaped."""
    return ",".join([measurement, *(f"{key}={value}" for key, value in tags.items())])


class FieldSeries(NamedTuple):
    """One field of a series, with one type. A field that changes its type between shard groups has several."""

    key: SeriesKey
    field: str
    type: FieldType

    @property
    def measurement(self) -> str:
        return self.key.measurement

    @property
    def tags(self) -> Tags:
        return self.key.tags
