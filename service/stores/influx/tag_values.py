"""The values of a tag, asked in Flux, which goes by the bucket's own name."""

from collections.abc import Collection

from service.errors import LineEndLost
from service.stores.influx import flux
from service.stores.influx.annotated_csv import rows_of, table_of
from service.stores.influx.raw import ask_flux
from service.stores.influx.transport import Call, Transport

_MOST_WANTED = 100
"""Flux refuses a filter of more than about 160 values, "Program is nested too deep" (2.9.1)."""


def tag_values(
    transport: Transport, bucket: str, key: str, wanted: Collection[str], most: int, call: Call
) -> list[str] | None:
    """As promised by the port. None for more than a hundred wanted values, or names that Flux cannot carry."""
    unsayable = any("\r" in value or "\n" in value for value in wanted)
    sayable_key = flux.can_filter(key) and flux.can_carry("", "", [key])
    if unsayable or len(wanted) > _MOST_WANTED or not sayable_key:
        return None
    try:
        first = _values(transport, bucket, key, f"  |> limit(n: {most})", call)
        rest = set(wanted) - set(first)
        if rest and len(first) == most:
            first += _values(transport, bucket, key, flux.any_of("_value", sorted(rest)), call)
    except LineEndLost:
        return None
    return sorted(set(first))


def _values(transport: Transport, bucket: str, key: str, step: str, call: Call) -> list[str]:
    timed = "  |> map(fn: (r) => ({_time: 1970-01-01T00:00:00Z, _value: r._value}))"
    query = "\n".join([flux.values_of_tag(bucket, key), "  |> sort()", step, timed])
    reply = ask_flux(transport, query, call, bucket)
    return [value for rows in rows_of(reply.chunks()) for value in table_of(rows, ()).column("_value").to_pylist()]
