"""Routes of keys: list, make and revoke. A key hands on no right that it lacks, and no longer life than its own."""

from collections.abc import Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Request, Response

from service.api.auth import requires
from service.api.deps import parts_of
from service.api.job_schemas import time_text
from service.api.jobs import state_call
from service.api.json_bodies import json_body, request_body
from service.api.key_schemas import CreatedKey, KeyList, NewKey, RevokedKey, key_info
from service.api.problem_schema import PROBLEM
from service.domain.access import Principal, Scope
from service.domain.expiry import expiry
from service.errors import Forbidden, InvalidParameter
from service.state.keys import KeyRecord, KeyRing

router = APIRouter(tags=["keys"], responses={"default": PROBLEM})
MOST_KEYS = 10_000
"""Most keys in the database, revoked ones included, for a key to be made over HTTP: each list reads all of them."""
MOST_BUCKET_LETTERS = 2_000_000
"""Most letters of the names of buckets in all keys, each with 50 more, for a key to be made over HTTP."""
_LETTERS_BESIDE_NAME = 50
KeyId = Annotated[str, Path(max_length=64, description="The key, as `GET /keys` names it.", examples=["1a2b3c4d"])]
_log = structlog.get_logger(__name__)


@router.get("/keys", summary="List keys", response_model=KeyList)
async def list_keys(request: Request, _: Principal = requires(Scope.ADMIN)) -> Response:
    """Every key in the state database, without its secret. The key of the setting API_KEY is none of them."""
    return Response(await state_call(request, _listing, parts_of(request).keys), media_type="application/json")


@router.post("/keys", summary="Make a key", status_code=201, openapi_extra=request_body(NewKey, "Key"))
async def create_key(
    request: Request,
    response: Response,
    order: Annotated[NewKey, json_body(NewKey, Scope.ADMIN)],
    principal: Principal = requires(Scope.ADMIN),
) -> CreatedKey:
    """Make a key. The answer shows it once: only its hash is kept.

    It can have only scopes that the asking key has, ends no later than that, and is revoked with it.
    """
    keys = parts_of(request).keys
    key, record = await state_call(request, _created, keys, order, principal)
    _log.info("a key was made", made_key=record.id, scopes=[scope.value for scope in record.scopes])
    response.headers["Cache-Control"] = "no-store"
    return CreatedKey(key=key, **key_info(record, keys.now()).model_dump())


@router.delete("/keys/{key_id}", summary="Revoke a key")
async def revoke_key(request: Request, key_id: KeyId, _: Principal = requires(Scope.ADMIN)) -> RevokedKey:
    """End a key now, with the keys that it made: at once in this process, within five seconds in all others.

    Jobs that they ordered go on.
    """
    keys = parts_of(request).keys
    record, *made = await state_call(request, keys.revoke, key_id)
    _log.info("a key was revoked", revoked_key=record.id, with_keys=[other.id for other in made])
    return RevokedKey(with_keys=[other.id for other in made], **key_info(record, keys.now()).model_dump())


def _created(keys: KeyRing, order: NewKey, principal: Principal) -> tuple[str, KeyRecord]:
    """Raises InvalidParameter, Forbidden."""
    records = keys.list()
    _refuse_beyond_list(records, order.buckets or ())
    expires_at = None if order.expires is None else expiry(order.expires, keys.now())
    _refuse_more_than(principal, order.scopes)
    _refuse_longer_than(_end_of(records, principal), expires_at)
    made_by = next((record.id for record in records if record.id == principal.id), None)
    return keys.create(order.name, order.scopes, order.buckets or (), expires_at, made_by)


def _listing(keys: KeyRing) -> str:
    """All keys as JSON, which takes long enough for thousands to be made in a thread."""
    records, now = keys.list(), keys.now()
    return KeyList(keys=[key_info(record, now) for record in records]).model_dump_json()


def _refuse_beyond_list(records: list[KeyRecord], buckets: Sequence[str]) -> None:
    """Raises InvalidParameter when there are as many keys, or names of buckets in them, as each list can read."""
    advice = "`fluxgate keys create` makes one on the gateway's machine."
    if len(records) >= MOST_KEYS:
        reason = f"There are {len(records):,} keys, revoked ones included, and no more are made over HTTP"
        raise InvalidParameter("name", f"{reason}. {advice}")
    letters = sum(map(_bucket_letters, [buckets, *(record.buckets or () for record in records)]))
    if letters > MOST_BUCKET_LETTERS:
        reason = "All keys together would name more buckets than are kept for keys that are made over HTTP"
        raise InvalidParameter("buckets", f"{reason}. Name fewer; {advice}")


def _bucket_letters(buckets: Sequence[str]) -> int:
    return sum(len(bucket) + _LETTERS_BESIDE_NAME for bucket in buckets)


def _refuse_more_than(principal: Principal, scopes: list[Scope]) -> None:
    """Raises Forbidden for scopes that the asking key lacks."""
    lacking = sorted({scope.value for scope in scopes if not principal.may(scope)})
    if lacking:
        raise Forbidden(
            f"The key {principal.name!r} lacks {', '.join(lacking)}, and a key hands on no scope that it lacks."
            " Leave it out, or use a key that has it."
        )


def _end_of(records: list[KeyRecord], principal: Principal) -> float | None:
    return next((record.expires_at for record in records if record.id == principal.id), None)


def _refuse_longer_than(latest: float | None, expires_at: float | None) -> None:
    """Raises InvalidParameter for a key that would outlive the asking key, which ends at `latest`."""
    if latest is not None and (expires_at is None or expires_at > latest):
        reason = f"The asking key ends at {time_text(latest)}, and a key that it makes ends no later"
        raise InvalidParameter("expires", f"{reason}. Write an earlier time, or use a key that ends later.")
