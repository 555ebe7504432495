"""The parameters of a read as the OpenAPI document shows them.

`service.api.read_parameters` understands them; a test holds the two together.
"""

from service.domain.selection import Fn, Stamp
from service.encoding.encoders import Format, Shape


def _parameter(name: str, description: str, schema: dict[str, object] | None = None, example: object = None) -> dict[str, object]:
    """An example stands in Swagger UI's field from the start, so only those that go together have one."""
    shown = {} if example is None else {"example": example}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema or {"type": "string"}, **shown}


def _choice(*allowed: str) -> dict[str, object]:
    return {"type": "string", "enum": list(allowed)}


_DURATION: dict[str, object] = {"type": "string", "pattern": "^[0-9]{1,9}[smhdw]$"}
_EVERY: dict[str, object] = {"type": "string", "pattern": "^([0-9]{1,9}(ns|us|ms|mo|[smhdwy])|raw)$"}
_TIME: dict[str, object] = {"type": "string"}
_BEGIN = (
    "Begin of the range instead of window: RFC 3339 with an offset, like 2026-01-01T00:00:00Z; since 1970 with a unit, "
    "like 1767225600s (or ms, us, ns); with tz also 2026-01-01 and 2026-01-01T08:00."
)
_NAMES: dict[str, object] = {"type": "array", "items": {"type": "string"}}

_SHAPES = (
    "long: one row per value; wide: one row per series and time, one column per field; table: one row per time, one column per series (at most 1000)."
)

PARAMETERS = [
    _parameter("window", "How far back from now, like 30d; 24h when no range is given.", _DURATION, "30d"),
    _parameter("start", _BEGIN, _TIME),
    _parameter("stop", "End of the range, not part of it; now when left out.", _TIME),
    _parameter("every", "Length of a window, like 1h, 500ms or 1mo; raw: the points themselves; else 30m.", _EVERY, "1h"),
    _parameter("fn", "What is made of a window; mean by default.", _choice(*(one.value for one in Fn))),
    _parameter("stamp", "Which end of its window is the time of a row; stop by default.", _choice(*Stamp)),
    _parameter("align", "true: only whole windows, none that the range cuts.", {"type": "boolean", "default": False}),
    _parameter("measurement", "Only these; may be repeated.", _NAMES),
    _parameter("field", "Only these; may be repeated. Text fields named here are answered with last.", _NAMES),
    _parameter("shape", _SHAPES, _choice(*Shape)),
    _parameter("tz", "IANA time zone of the windows' clock and of printed times, like Europe/Berlin; UTC by default."),
    _parameter("format", "Else by Accept, else csv.", _choice(*(one.value for one in Format)), "csv"),
    _parameter("limit", "At most so many rows.", {"type": "integer", "minimum": 1}, 1000),
    {
        "name": "tags",
        "in": "query",
        "required": False,
        "description": "Filters as tag.KEY=VALUE, such as tag.site=Assembly; the same key again means or.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "example": {},
    },
]
