"""Finds the name by which InfluxQL reaches a bucket: InfluxDB's mappings of databases and policies (DBRP).

A mapping made by hand wins over the bucket of that name, and two buckets may share one name (`db`, `db/autogen`).
So InfluxDB is asked each time which bucket a name leads to. A bucket that its own name does not lead to is found under
any mapping made by hand that does (influxdb v2.9.1 dbrp/service.go).
"""

from typing import Any

from service.errors import InvalidParameter, WrongMapping
from service.stores.influx import influxql
from service.stores.influx.answers import objects
from service.stores.influx.failures import failure
from service.stores.influx.transport import Transport

_NOT_SHOWN = (401, 403, 404, 405)
"""A token that may not list mappings, or a server without them, may still read."""


def influxql_name(transport: Transport, bucket: str, bucket_id: str) -> str:
    """The name that leads InfluxQL to a bucket, as `influxql.database` takes it: nearly always the bucket's own.

    Raises:
        WrongMapping: its name leads to another bucket, and no mapping made by hand to this one.
        InvalidParameter: no name leads InfluxQL to it.
    """
    try:
        target = influxql.database(bucket)
    except InvalidParameter as unquotable:
        if (name := _explicit_name(transport, bucket_id)) is not None:
            return name
        raise InvalidParameter("bucket", f"{unquotable.message} Or {_remedy(bucket_id)}.") from None
    mappings = _mappings(transport, {"db": target["db"]})
    leading = next((mapping for mapping in mappings if mapping.get("retention_policy") == target["rp"]), None)
    if leading is None or leading.get("bucketID") == bucket_id:
        return bucket
    if (name := _explicit_name(transport, bucket_id)) is not None:
        return name
    delete = ""
    if not leading.get("virtual"):
        delete = f" Or delete the mapping {leading.get('id')} with `influx v1 dbrp delete`."
    raise WrongMapping(
        f"InfluxDB maps the name {bucket!r} to another bucket ({leading.get('bucketID')}), so InfluxQL would read the"
        f" wrong data. Rename the bucket, or {_remedy(bucket_id)}.{delete}"
    )


def _remedy(bucket_id: str) -> str:
    command = f"influx v1 dbrp create --db NAME --rp {influxql.DEFAULT_POLICY} --bucket-id {bucket_id}"
    return f"give it a mapping of its own under a NAME that no bucket has: `{command}`"


def _explicit_name(transport: Transport, bucket_id: str) -> str | None:
    """The first name, by the alphabet, that a mapping made by hand gives to the bucket.

    Such a mapping wins over the buckets of that name.
    """
    names = (
        f"{mapping.get('database')}/{mapping.get('retention_policy')}"
        for mapping in _mappings(transport, {"bucketID": bucket_id})
        if not mapping.get("virtual") and mapping.get("bucketID") == bucket_id and _is_quotable(mapping)
    )
    return min(names, default=None)


def _is_quotable(mapping: dict[str, Any]) -> bool:
    database, policy = mapping.get("database"), mapping.get("retention_policy")
    if not isinstance(database, str) or not isinstance(policy, str):
        return False
    return bool(database and policy) and "/" not in database and influxql.can_quote(database + policy)


def _mappings(transport: Transport, filters: dict[str, str]) -> list[dict[str, Any]]:
    reply = transport.send("GET", "/api/v2/dbrps", {"org": transport.org, **filters})
    body = reply.read()
    if reply.status in _NOT_SHOWN:
        return []
    if reply.status != 200:
        raise failure(reply.status, reply.headers, body)
    return objects(body, "content")
