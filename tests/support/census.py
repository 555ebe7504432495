"""A second kind of job, whole in one file: it counts the buckets of the gateway's own store.

It has everything that a kind can have: what runs it, a section, schedules that the section makes, routes and commands.
Nothing in `service` knows of it.
"""

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, RootModel

from service.api.auth import requires
from service.api.deps import parts_of
from service.api.job_schemas import JobInfo
from service.api.jobs import state_call, submit_job
from service.api.json_bodies import json_body, request_body
from service.config.section import Section
from service.config.store import ConfigStore
from service.console.connection import Key, Url, open_transport, post
from service.console.jobs import follow
from service.domain.access import Principal, Scope
from service.domain.schedule import Schedule
from service.errors import InvalidParameter
from service.features.feature import Feature, KindServices
from service.jobs import JobContext, JobKind
from service.settings import Settings
from service.stores.protocol import Store

NAME = "census"


class CensusText(BaseModel):
    """A census: the buckets whose names begin with `prefix`, counted `every` HH:MM:SS."""

    model_config = ConfigDict(extra="forbid")

    prefix: str = ""
    every: str | None = None


class Censuses(RootModel[dict[str, CensusText]]):
    root: dict[str, CensusText] = Field(default_factory=dict)


SECTION = Section("censuses", Censuses, {"plants": {"prefix": "Plant ", "every": "01:00:00"}})


class Census:
    """Counts the buckets of `store`, as the section of `config` says."""

    def __init__(self, store: Store, config: ConfigStore) -> None:
        self._store = store
        self._config = config

    def texts(self) -> dict[str, CensusText]:
        return {name: CensusText.model_validate(text) for name, text in self._config.get(SECTION.name).value.items()}

    def schedules(self) -> dict[str, Schedule]:
        timed = {f"{NAME} {name}": (name, text.every) for name, text in self.texts().items() if text.every is not None}
        return {title: Schedule(title, NAME, {"census": name}, every=every) for title, (name, every) in timed.items()}

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return f"{NAME}:{parameters['census']}"

    def validate(self, parameters: Mapping[str, Any]) -> None:
        if parameters.get("census") not in self.texts():
            raise InvalidParameter("census", f"There is no census {parameters.get('census')!r}.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        prefix = self.texts()[parameters["census"]].prefix
        buckets = [bucket.name for bucket in self._store.buckets() if bucket.name.startswith(prefix)]
        context.log("info", f"{len(buckets)} buckets begin with {prefix!r}")
        return {"buckets": buckets}


def make(settings: Settings, services: KindServices) -> tuple[JobKind, ...]:
    census = Census(services.store, services.config)
    return (JobKind(NAME, Scope.BACKUP, census, max_attempts=3, sections=(SECTION,), schedules=census.schedules),)


router = APIRouter(tags=[NAME])


@router.get("/census")
async def list_censuses(request: Request, principal: Principal = requires(Scope.BACKUP)) -> list[str]:  # noqa: B008
    return sorted(await state_call(request, parts_of(request).kinds.runnable(NAME, Census).texts))


@router.post("/census/trigger", status_code=202, openapi_extra=request_body(dict[str, str], "Order"))
async def trigger(
    request: Request,
    response: Response,
    order: Annotated[dict[str, str], json_body(dict[str, str], Scope.BACKUP)],
    principal: Principal = requires(Scope.BACKUP),  # noqa: B008
) -> JobInfo:
    return await submit_job(request, response, principal, NAME, order)


commands = typer.Typer(help="Censuses.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Censuses."""


@commands.command()
def run(name: str, url: Url = None, key: Key = None) -> None:
    """Count now, and wait for it."""
    with contextlib.closing(open_transport(url, key)) as transport:
        state = follow(transport, post(transport, "/census/trigger", body={"census": name})["id"])
    if state != "succeeded":
        raise typer.Exit(1)


CENSUS = Feature(NAME, make, router, commands)
