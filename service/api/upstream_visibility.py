"""Shows the text of other servers only to keys with `admin`.

The text may come from a server that other keys may not ask.
"""

from collections.abc import Iterable
from dataclasses import replace

from fastapi import Request

from service.domain.access import Principal, Scope
from service.domain.job import UPSTREAM, Job, LogLine


def remember_principal(request: Request, principal: Principal) -> None:
    """Store the principal in the request, for error handlers that run after the route."""
    request.state.principal = principal


def sees_upstream(request: Request) -> bool:
    """Whether the request's key has `admin`. It is False before a key is accepted."""
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal is not None and principal.may(Scope.ADMIN)


def visible_job(request: Request, job: Job) -> Job:
    """`job` as the request's key may see it."""
    if job.error is None or UPSTREAM not in job.error or sees_upstream(request):
        return job
    return replace(job, error={name: text for name, text in job.error.items() if name != UPSTREAM})


def visible_lines(request: Request, lines: Iterable[LogLine]) -> list[LogLine]:
    """The lines that the request's key may see."""
    is_visible = sees_upstream(request)
    return [line for line in lines if is_visible or line.level != UPSTREAM]
