"""Who is shown what another server wrote: keys with `admin`, since the text may come from a server that the others may not ask."""

from collections.abc import Iterable
from dataclasses import replace

from fastapi import Request

from service.domain.access import Principal, Scope
from service.domain.job import UPSTREAM, Job, LogLine


def remember_principal(request: Request, principal: Principal) -> None:
    """Keep whose request it is, for answers that are made after the route is left."""
    request.state.principal = principal


def sees_upstream(request: Request) -> bool:
    """Whether the request's key has `admin`; not before a key was accepted."""
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal is not None and principal.may(Scope.ADMIN)


def visible_job(request: Request, job: Job) -> Job:
    """`job` as the request's key is shown it."""
    if job.error is None or UPSTREAM not in job.error or sees_upstream(request):
        return job
    return replace(job, error={name: text for name, text in job.error.items() if name != UPSTREAM})


def visible_lines(request: Request, lines: Iterable[LogLine]) -> list[LogLine]:
    """Those of `lines` that the request's key is shown."""
    shown = sees_upstream(request)
    return [line for line in lines if shown or line.level != UPSTREAM]
