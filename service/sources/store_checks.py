"""Refuses a selection that names what no bucket of it knows, with near names."""

from collections.abc import Iterator, Mapping, Sequence

from service.domain.schema import MeasurementSchema
from service.domain.unknown_names import FilterKind, unknown_names
from service.errors import InvalidParameter
from service.sources.store_text import StoreDefinition
from service.stores.protocol import Store

_MEMBERS = {FilterKind.MEASUREMENT: "measurement", FilterKind.FIELD: "field", FilterKind.TAG: "tags"}
PLACE = "source.store"


def refuse_unknown_names(
    definition: StoreDefinition,
    schemas: Mapping[str, Sequence[MeasurementSchema]],
) -> None:
    """Raises InvalidParameter for a measurement, field or tag that none of the buckets has, or a tag that is taken."""
    together = [entry for schema in schemas.values() for entry in schema]
    keys = [key for key, _ in definition.tags]
    for name in unknown_names(_merged(together), definition.measurements, definition.fields, keys):
        buckets = ", ".join(map(repr, definition.buckets[:10]))
        hint = f" Did you mean {' or '.join(map(repr, name.near))}?" if name.near else ""
        finding = f"There is no {name.kind} {name.name!r} in {buckets}.{hint}"
        raise InvalidParameter(f"{PLACE}.{_MEMBERS[name.kind]}", finding)
    tag = definition.bucket_tag
    taken = next((entry.name for entry in together if tag in entry.tags), None)
    if tag is not None and taken is not None:
        finding = f"The measurement {taken!r} has the tag {tag!r} already, which is to name the bucket. Name another."
        raise InvalidParameter(f"{PLACE}.bucket_tag", finding)


def tags_with_unknown_values(definition: StoreDefinition, store: Store) -> Iterator[tuple[str, list[str]]]:
    """The filtered tags, each with those accepted values that no series of any bucket has."""
    for key, accepted in definition.tags:
        known: set[str] = set()
        for bucket in definition.buckets:
            values = store.tag_values(bucket, key, accepted)
            if values is None:
                break
            known.update(values)
        else:
            missing = sorted(set(accepted) - known)
            if missing:
                yield key, missing


def _merged(schema: Sequence[MeasurementSchema]) -> list[MeasurementSchema]:
    """One measurement for each name, with the fields and tags that it has in any bucket."""
    merged: dict[str, MeasurementSchema] = {}
    for entry in schema:
        earlier = merged.get(entry.name)
        fields = {**(earlier.fields if earlier else {}), **entry.fields}
        tags = sorted({*(earlier.tags if earlier else ()), *entry.tags})
        merged[entry.name] = MeasurementSchema(entry.name, tuple(tags), fields)
    return list(merged.values())
