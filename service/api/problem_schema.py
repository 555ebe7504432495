"""The answer for every error as the OpenAPI document shows it: one type, `Problem`, for all routes."""

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_LINES = {"type": "array", "items": {"$ref": "#/components/schemas/LineProblem"}}

PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). `code` is stable, `detail` says what to do; see docs/errors.md.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {**_TEXT, "description": "urn:fluxgate:problem: and the code."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": _TEXT,
        "request_id": {**_TEXT, "description": "The log has the rest under it."},
        "parameter": {**_TEXT, "description": "Which parameter is wrong."},
        "allowed": {**_TEXTS, "description": "What may stand there."},
        "bucket": {**_TEXT, "description": "Which bucket it is about."},
        "near": {**_TEXTS, "description": "Names that are similar to one that does not exist."},
        "stored": {"type": "integer", "description": "How many points of the body were stored."},
        "bad": {**_LINES, "description": "Lines that do not parse."},
        "refused": {**_LINES, "description": "Points that the store did not take."},
        "errors": {
            "type": "array",
            "description": "What is wrong in a body or parameter, and where.",
            "items": {"$ref": "#/components/schemas/WrongPlace"},
        },
        "dependency": {**_TEXT, "description": "What is busy."},
        "upstream": {**_TEXT, "description": "What another server wrote; for keys with `admin`."},
    },
    "additionalProperties": True,
}
"""Members past `request_id` are there where they apply."""

_WRONG_PLACE = {
    "title": "WrongPlace",
    "type": "object",
    "required": ["where", "problem"],
    "properties": {"where": _TEXT, "problem": _TEXT},
}

SCHEMAS = {"Problem": PROBLEM_SCHEMA, "WrongPlace": _WRONG_PLACE}

PROBLEM = {
    "description": "What went wrong, with a stable `code` and what to do (RFC 9457).",
    "content": {
        "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
                "type": "urn:fluxgate:problem:unknown_bucket",
                "title": "Not Found",
                "status": 404,
                "detail": "There is no bucket 'Wether'. Did you mean 'Weather'?",
                "code": "unknown_bucket",
                "near": ["Weather"],
                "request_id": "9f86d081884c7d65",
            },
        }
    },
}
"""As `responses={"default": PROBLEM}` of a router."""
