"""Runtime configuration: sections that change without a restart, each with a version."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.openapi.models import Example

from service.api.auth import requires
from service.api.deps import parts_of
from service.api.documents import document, request_body
from service.api.problem_schema import PROBLEM
from service.api.schemas import Section
from service.domain.access import Principal, Scope
from service.errors import InvalidParameter
from service.state.config import Versioned
from service.state.redaction import hide

SectionName = Annotated[str, Path(description="`coordinates`, `mirrors` or `schedules`.", examples=["coordinates"])]
EXAMPLES: dict[str, Example] = {
    "coordinates": {"summary": "coordinates", "value": {"latitude": 52.52, "longitude": 13.405}},
    "mirrors": {
        "summary": "mirrors",
        "description": "All members: docs/mirror.md.",
        "value": {
            "plant": {
                "source": {"url": "https://influx.example:8086", "org": "my-org", "token_env": "FLUXGATE_TOKEN_SOURCE"},
                "buckets": ["Weather"],
            },
        },
    },
    "schedules": {
        "summary": "schedules",
        "description": "All members: docs/jobs.md.",
        "value": {"plant at night": {"kind": "mirror", "parameters": {"mirror": "plant"}, "cron": "30 2 * * *", "zone": "Europe/Berlin"}},
    },
}
router = APIRouter(tags=["configuration"], responses={"default": PROBLEM})


@router.get("/config/{section}", summary="Read a section")
async def read_config_section(request: Request, response: Response, section: SectionName, _: Principal = requires(Scope.ADMIN)) -> Section:
    """The section's value and version; the version is also the ETag. Secrets read `***`, and stay what they are when that is sent back."""
    parts = parts_of(request)
    found = await parts.pools.state.run(parts.config.get, section)
    return _answer(response, section, found)


@router.put("/config/{section}", summary="Replace a section", openapi_extra=request_body(dict[str, Any], "Value", openapi_examples=EXAMPLES))
async def replace_config_section(
    request: Request,
    response: Response,
    section: SectionName,
    value: Annotated[dict[str, Any], document(dict[str, Any], Scope.ADMIN)],
    if_match: Annotated[str | None, Header(description="The version that was read; another one there now is a 409.")] = None,
    _: Principal = requires(Scope.ADMIN),
) -> Section:
    """Replace the whole section. With `If-Match`, only when nobody changed it since."""
    parts, expected = parts_of(request), _version(if_match)
    stored = await parts.pools.state.run(parts.config.put, section, value, expected)
    return _answer(response, section, stored)


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidParameter("If-Match", f"If-Match: {if_match[:50]!r} is no version. Send the ETag that reading the section gave.")
    return int(text)


def _answer(response: Response, section: str, found: Versioned) -> Section:
    response.headers["ETag"] = f'"{found.version}"'
    return Section(section=section, version=found.version, value=hide(found.value))
