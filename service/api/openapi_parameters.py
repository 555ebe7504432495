"""The parameters of a read in the OpenAPI document.

`service.api.read_parameters` parses them, and a test compares the two.
"""

from service.domain.selection import Fn, Stamp
from service.encoding.encoders import Format, Shape
from service.pictures.look import HEIGHTS, WIDTHS, Form, Look, Theme


def _parameter(
    name: str,
    description: str,
    schema: dict[str, object] | None = None,
    example: object = None,
) -> dict[str, object]:
    """An optional parameter. Swagger UI fills in its example, so only parameters that fit together have one."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
        **({} if example is None else {"example": example}),
    }


def _choice(*allowed: str) -> dict[str, object]:
    return {"type": "string", "enum": list(allowed)}


def _pixels(allowed: range) -> dict[str, object]:
    """Without a default, which Swagger UI would send along with formats that are no pictures."""
    return {"type": "integer", "minimum": allowed[0], "maximum": allowed[-1]}


_DURATION: dict[str, object] = {"type": "string", "pattern": "^[0-9]{1,9}[smhdw]$"}
_EVERY: dict[str, object] = {"type": "string", "pattern": "^([0-9]{1,9}(ns|us|ms|mo|[smhdwy])|raw)$"}
_TIME: dict[str, object] = {"type": "string"}
_START = (
    "Start of the range, instead of window: RFC 3339 with an offset, like 2026-01-01T00:00:00Z; "
    "since 1970 with a unit, like 1767225600s (or ms, us, ns); with tz also 2026-01-01 and 2026-01-01T08:00."
)
_NAMES: dict[str, object] = {"type": "array", "items": {"type": "string"}}

_SHAPES = (
    "long: one row per value. wide: one row per series and time, one column per field. "
    "table: one row per time, one column per series (at most 1000)."
)

_FUNCTIONS = (
    "The function that aggregates a window. Default: mean. m4, for charts, gives of each window and series the first, "
    "last, lowest and highest point with their own times, each point once."
)

PARAMETERS = [
    _parameter("window", "How far back from now, like 30d. Without any range: 24h.", _DURATION, "30d"),
    _parameter("start", _START, _TIME),
    _parameter("stop", "End of the range, exclusive. Default: now.", _TIME),
    _parameter(
        "every",
        "Length of a window, like 1h, 500ms or 1mo, or raw for the points themselves. Default: 30m.",
        _EVERY,
        "1h",
    ),
    _parameter("fn", _FUNCTIONS, _choice(*(fn.value for fn in Fn))),
    _parameter(
        "stamp",
        "Which end of its window is the time of a row. Default: stop. With m4 always point: the time of the point.",
        _choice(*Stamp),
    ),
    _parameter(
        "align",
        "true: only whole windows, none that the range cuts.",
        {"type": "boolean", "default": False},
    ),
    _parameter("measurement", "Only these measurements; repeatable.", _NAMES),
    _parameter(
        "field",
        "Only these fields; repeatable. A text field that is named here is answered with its last value.",
        _NAMES,
    ),
    _parameter("shape", _SHAPES, _choice(*Shape)),
    _parameter("tz", "IANA time zone of window edges and printed times, like Europe/Berlin. Default: UTC."),
    _parameter(
        "format",
        "Format of the answer. Default: by the Accept header, else csv.",
        _choice(*(form.value for form in Format), *Form),
        "csv",
    ),
    _parameter(
        "bom",
        "true: begin CSV with a byte order mark, by which Excel recognizes UTF-8.",
        _choice("true", "false"),
    ),
    _parameter(
        "sep",
        "What separates the cells of CSV: a comma, a semicolon, or the word tab.",
        _choice(",", ";", "tab"),
    ),
    _parameter("limit", "Most rows in the answer.", {"type": "integer", "minimum": 1}, 1000),
    _parameter(
        "width",
        f"Width of a picture (format=svg or png) in CSS pixels. Default: {Look.width}.",
        _pixels(WIDTHS),
    ),
    _parameter("height", f"Height of a picture in CSS pixels. Default: {Look.height}.", _pixels(HEIGHTS)),
    _parameter("theme", "Colours of a picture. Default: light.", _choice(*Theme)),
    _parameter("title", "false: no title in a picture.", _choice("true", "false")),
    _parameter("legend", "false: no legend in a picture.", _choice("true", "false")),
    {
        "name": "tags",
        "in": "query",
        "required": False,
        "description": "Filters of the form tag.KEY=VALUE, like tag.site=Assembly. A repeated key means or.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "example": {},
    },
]

_SHARED = {"window", "start", "stop", "measurement", "field", "tz", "tags"}
GAP_PARAMETERS = [parameter for parameter in PARAMETERS if parameter["name"] in _SHARED] + [
    _parameter(
        "expect",
        "How far apart points of a series may be, like 1m. Default: three times what each series usually does.",
        _DURATION,
    ),
    _parameter(
        "known",
        "How far before the range a series may have had its last point to be missed in it. Default: as long as the "
        "range is.",
        _DURATION,
    ),
    _parameter(
        "gaps",
        "How many gaps of each series are named, the longest. Default: 100.",
        {"type": "integer", "minimum": 1, "maximum": 10_000},
    ),
]
