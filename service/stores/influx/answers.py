"""Small JSON answers of InfluxDB's API: lists of objects, or refused."""

import json
from typing import Any

from service.stores.influx.failures import not_an_answer


def objects(body: bytes, member: str) -> list[dict[str, Any]]:
    """The objects of a list that an answer has as `member`; null is no object. Raises what `not_an_answer` makes."""
    try:
        listed = json.loads(body)[member] or []
        if isinstance(listed, list) and all(isinstance(one, dict) for one in listed):
            return listed
    except (ValueError, KeyError, TypeError):
        pass
    raise not_an_answer("the API", f"it answers no list of {member}") from None
