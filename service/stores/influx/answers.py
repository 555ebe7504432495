"""Small JSON answers of InfluxDB's API: lists of objects, or refused."""

import json
from typing import Any

from service.stores.influx.failures import not_an_answer


def objects(body: bytes, member: str) -> list[dict[str, Any]]:
    """The objects of a list that an answer has as `member`; null is no object. Raises what `not_an_answer` makes."""
    try:
        entries = json.loads(body)[member] or []
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            return entries
    except (ValueError, KeyError, TypeError):
        pass
    raise not_an_answer("the API", f"it answers no list of {member}") from None
