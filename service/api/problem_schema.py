"""The answer to every error in the OpenAPI document: all routes share the type `Problem`."""

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
        "request_id": {**_TEXT, "description": "The log has more about the request under this id."},
        "parameter": {**_TEXT, "description": "The wrong parameter."},
        "allowed": {**_TEXTS, "description": "The allowed values."},
        "bucket": {**_TEXT, "description": "The bucket that the error is about."},
        "near": {**_TEXTS, "description": "Existing names that are similar."},
        "stored": {"type": "integer", "description": "How many points of the body were stored."},
        "bad": {**_LINES, "description": "Lines that do not parse."},
        "refused": {**_LINES, "description": "Points that the store refused."},
        "errors": {
            "type": "array",
            "description": "What is wrong in a body or parameter, and where.",
            "items": {"$ref": "#/components/schemas/WrongPlace"},
        },
        "dependency": {**_TEXT, "description": "The dependency that is busy."},
        "upstream": {**_TEXT, "description": "The text of another server; only for keys with `admin`."},
    },
    "additionalProperties": True,
}
"""The members after `request_id` are present where they apply."""

_LOCATED_ERROR = {
    "title": "WrongPlace",
    "type": "object",
    "required": ["where", "problem"],
    "properties": {"where": _TEXT, "problem": _TEXT},
}

SCHEMAS = {"Problem": PROBLEM_SCHEMA, "WrongPlace": _LOCATED_ERROR}

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
"""For `responses={"default": PROBLEM}` of a router."""
