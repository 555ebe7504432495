"""Routes of the runtime configuration: sections that change without a restart, each with a version."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from service.api.auth import requires
from service.api.deps import parts_of
from service.api.json_bodies import json_body, request_body
from service.api.problem_schema import PROBLEM
from service.api.schemas import Section, SectionInfo, SectionList
from service.config.redaction import hide
from service.config.section import Section as ConfigSection
from service.config.store import Versioned
from service.domain.access import Principal, Scope
from service.errors import InvalidParameter

SectionName = Annotated[str, Path(description="Its name.", examples=["coordinates"])]
_PATH = "/config/{section}"
router = APIRouter(tags=["configuration"], responses={"default": PROBLEM})


@router.get("/config", summary="List sections")
async def list_config_sections(request: Request, _: Principal = requires(Scope.ADMIN)) -> SectionList:
    """Every section with its version, what it is for, and an example. The version is 0 before it is set."""
    parts = parts_of(request)
    sections = parts.config.sections
    versions = await parts.pools.state.run(lambda: [parts.config.get(section.name).version for section in sections])
    infos = [_section_info(section, version) for section, version in zip(sections, versions, strict=True)]
    return SectionList(sections=infos)


def _section_info(section: ConfigSection, version: int) -> SectionInfo:
    example = dict(section.example)
    return SectionInfo(section=section.name, version=version, description=section.description, example=example)


@router.get(_PATH, summary="Read a section")
async def read_config_section(
    request: Request,
    response: Response,
    section: SectionName,
    _: Principal = requires(Scope.ADMIN),
) -> Section:
    """The section's value and version; the version is also the ETag.

    Secrets are shown as `***`. A secret that is sent back as `***` keeps its value.
    """
    parts = parts_of(request)
    stored = await parts.pools.state.run(parts.config.get, section)
    return _answer(response, section, stored)


@router.put(_PATH, summary="Replace a section", openapi_extra=request_body(dict[str, Any], "Value"))
async def replace_config_section(
    request: Request,
    response: Response,
    section: SectionName,
    value: Annotated[dict[str, Any], json_body(dict[str, Any], Scope.ADMIN)],
    if_match: Annotated[
        str | None,
        Header(description="The version that was read; 409 when the section has another version now."),
    ] = None,
    _: Principal = requires(Scope.ADMIN),
) -> Section:
    """Replace the whole section. With `If-Match`, only when nobody changed it since that version."""
    parts, expected = parts_of(request), _version(if_match)
    stored = await parts.pools.state.run(parts.config.put, section, value, expected)
    return _answer(response, section, stored)


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        reason = f"If-Match: {if_match[:50]!r} is no version. Send the ETag that reading the section gave."
        raise InvalidParameter("If-Match", reason)
    return int(text)


def _answer(response: Response, section: str, stored: Versioned) -> Section:
    response.headers["ETag"] = f'"{stored.version}"'
    return Section(section=section, version=stored.version, value=hide(stored.value))


def with_sections(openapi: dict[str, Any], sections: Sequence[ConfigSection]) -> dict[str, Any]:
    """Add the names of the sections to `openapi`, and an example of each."""
    names = [f"`{section.name}`" for section in sections]
    listed = " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    operations = openapi["paths"][_PATH]
    for parameter in (parameter for operation in operations.values() for parameter in operation["parameters"]):
        if parameter["in"] == "path":
            parameter["description"] = parameter["schema"]["description"] = f"{listed}."
    content = operations["put"]["requestBody"]["content"]["application/json"]
    content["examples"] = {section.name: _example(section) for section in sections}
    return openapi


def _example(section: ConfigSection) -> dict[str, Any]:
    described = {"description": section.description} if section.description else {}
    return {"summary": section.name, **described, "value": section.example}
