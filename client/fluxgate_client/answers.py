"""Answers as values: bytes that arrived, turned into JSON, Arrow, pandas or an error. Nothing is sent or waited for."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pyarrow as pa

from fluxgate_client.errors import AnswerBroken, GatewayRefused, refusal
from fluxgate_client.requests import Request

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and how its answer is read: what the gateway of both kinds, sync and async, carries out."""

    request: Request
    parse: Callable[[Request, bytes], T]


def as_object(request: Request, body: bytes) -> dict[str, Any]:
    """A JSON object. Raises AnswerBroken for anything else."""
    try:
        value = json.loads(body)
    except ValueError as broken:
        raise _broken(request, "is no JSON", broken) from broken
    if not isinstance(value, dict):
        raise _broken(request, "is no JSON object", type(value).__name__)
    return value


def as_buckets(request: Request, body: bytes) -> list[dict[str, Any]]:
    return list(as_object(request, body)["buckets"])


def as_table(request: Request, body: bytes) -> pa.Table:
    """All rows of an Arrow stream. Raises AnswerBroken when it is not whole."""
    try:
        return pa.ipc.open_stream(pa.BufferReader(body)).read_all()
    except (pa.ArrowInvalid, OSError) as broken:
        raise _broken(request, "is no whole Arrow stream", broken) from broken


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Integers and booleans that are absent in places stay exact (nullable types)."""
    try:
        import pandas as pd
    except ModuleNotFoundError as missing:
        advice = 'pandas is not installed: pip install "fluxgate-client[pandas]", or use to_arrow().'
        raise ModuleNotFoundError(advice, name=missing.name) from None

    nullable = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype()}
    with_gaps = {column.type for column in table.columns if column.null_count}
    return table.to_pandas(types_mapper={kind: nullable[kind] for kind in with_gaps if kind in nullable}.get)


def refused(status: int, headers: Mapping[str, str], body: bytes, now_s: float, address: str) -> GatewayRefused:
    """The error that an answer with another status than 2xx says."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"{address} answered {status} without a reason."}
    return refusal(status, problem, retry_after_s(headers.get("Retry-After"), now_s))


def retry_after_s(text: str | None, now_s: float) -> float | None:
    """Seconds from now, from RFC 9110's two forms; None for no header, or one that means nothing."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def _broken(request: Request, what: str, reason: object) -> AnswerBroken:
    return AnswerBroken(f"The answer to {request.method} {request.path} {what} ({reason}). Ask again.")
