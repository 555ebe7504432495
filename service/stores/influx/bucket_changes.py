"""Making a bucket and changing it, over InfluxDB's API. What the server refuses is said in the caller's words."""

import json
from typing import Any

from service.domain.durations import HOUR_NS, SECOND_NS
from service.domain.schema import BucketSpec, check_description
from service.errors import InvalidParameter
from service.stores.influx.catalog import Catalog, checked_answer
from service.stores.influx.failures import failure, reason_of
from service.stores.influx.transport import Transport

_JSON = {"Content-Type": "application/json"}


def create_bucket(transport: Transport, catalog: Catalog, spec: BucketSpec) -> bool:
    """As the port promises it. Cloud tells no length of shard groups, whatever was asked."""
    seconds = _retention_s(spec.retention_ns)
    if catalog.document(spec.name) is not None:
        return False
    rule = {"type": "expire", "everySeconds": seconds}
    if spec.shard_ns:
        rule["shardGroupDurationSeconds"] = spec.shard_ns // SECOND_NS
    rules = [rule] if seconds or spec.shard_ns else []
    payload = {
        "orgID": catalog.org_id(),
        "name": spec.name,
        "description": spec.description,
        "retentionRules": rules,
    }
    reply = transport.send("POST", "/api/v2/buckets", None, json.dumps(payload).encode(), _JSON)
    answer = reply.read()
    if reply.status == 201:
        return True
    if reply.status == 422 and catalog.document(spec.name) is not None:
        return False
    if reply.status in (400, 422):
        raise InvalidParameter(
            "name",
            f"InfluxDB does not take the bucket {spec.name!r}: its name, description or retention breaks a rule of it.",
            upstream=reason_of(answer),
        )
    raise failure(reply.status, reply.headers, answer)


def update_bucket(transport: Transport, catalog: Catalog, name: str, description: str, retention_ns: int) -> None:
    """As the port promises it: the length of shard groups is sent along as it is."""
    check_description(name, description)
    seconds = _retention_s(retention_ns)
    document = catalog.user_document(name)
    with checked_answer("/api/v2/buckets"):
        rule = _shard_rule(document)
        shard_s = int(rule.get("shardGroupDurationSeconds", 0))
    if 0 < seconds < shard_s:
        raise InvalidParameter(
            "retention",
            f"The bucket {name!r} cannot keep its points for {seconds} s: its shard groups are {shard_s} s long.",
        )
    payload = {"description": description, "retentionRules": [{"type": "expire", "everySeconds": seconds, **rule}]}
    reply = transport.send("PATCH", f"/api/v2/buckets/{document['id']}", None, json.dumps(payload).encode(), _JSON)
    answer = reply.read()
    if reply.status in (400, 422):
        raise InvalidParameter(
            "retention",
            f"InfluxDB does not change the bucket {name!r}: its description or retention breaks a rule of it.",
            upstream=reason_of(answer),
        )
    if not 200 <= reply.status < 300:
        raise failure(reply.status, reply.headers, answer, name)


def _retention_s(retention_ns: int) -> int:
    seconds, rest = divmod(retention_ns, SECOND_NS)
    if rest or retention_ns < 0 or 0 < retention_ns < HOUR_NS:
        raise InvalidParameter(
            "retention",
            "InfluxDB keeps data for 1h or longer, in whole seconds; 0 keeps everything.",
        )
    return seconds


def _shard_rule(document: dict[str, Any]) -> dict[str, int]:
    """The member of a retention rule that has the length of shard groups. Empty on Cloud, which tells none."""
    rules = document.get("retentionRules") or [{}]
    shard_s = int(rules[0].get("shardGroupDurationSeconds") or 0)
    return {"shardGroupDurationSeconds": shard_s} if shard_s else {}
