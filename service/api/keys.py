"""The route by which a key learns what it may do, so that a page shows nothing that would be refused."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.api.auth import authenticate, missing_scope
from service.api.body_gate import accept
from service.api.problem_schema import PROBLEM
from service.api.schemas import KeySelf
from service.domain.access import Principal, Scope
from service.errors import Forbidden

router = APIRouter(tags=["keys"], responses={"default": PROBLEM})


async def _some_scope(request: Request) -> Principal:
    principal = await authenticate(request)
    if not any(principal.may(scope) for scope in Scope):
        raise Forbidden(missing_scope(principal, min(principal.scopes, default=Scope.READ)))
    accept(request)
    return principal


@router.get("/keys/self", summary="What the key may do")
async def read_own_key(response: Response, principal: Annotated[Principal, Depends(_some_scope)]) -> KeySelf:
    """The name of the key that was sent, its scopes as far as they count, and the buckets that it may see."""
    response.headers["Cache-Control"] = "no-store"
    scopes = [scope.value for scope in Scope if principal.may(scope)]
    buckets = None if principal.buckets is None else sorted(principal.buckets)
    return KeySelf(id=principal.id, name=principal.name, scopes=scopes, buckets=buckets)
