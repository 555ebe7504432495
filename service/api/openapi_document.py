"""The OpenAPI document as a file: `fluxgate openapi > openapi/openapi.json`."""

import json
from typing import Any

from fastapi import FastAPI


def openapi_text(app: FastAPI) -> str:
    """The OpenAPI document of `app` as JSON text, as openapi/openapi.json holds it."""
    document: dict[str, Any] = app.openapi()
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
