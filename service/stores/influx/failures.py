"""Turns an answer of InfluxDB that is no success into an error that says who acts.

InfluxDB answers 400 when it is busy or out of memory (OSS maps most Flux codes to it). Proxies in front of Cloud answer
HTML. Limits that never reset come as 429 without Retry-After. So the text decides together with the status (influxdb
v2.9.1 query/control/controller.go, http/errors.go). The text is not part of the message but of `upstream`, since it may
not be meant for the caller.
"""

import json
import re
from collections.abc import Mapping

from service.errors import (
    LONGEST_UPSTREAM,
    FluxgateError,
    QueryRefused,
    StoreBroken,
    StoreBusy,
    StoreDenied,
    StoreFailed,
    StoreLimit,
    StoreTimeout,
    StoreUnavailable,
    UnknownBucket,
    UnreadableText,
)

_BUSY_S = 2.0
ASK_AGAIN = "Ask again; if it stays so, look at its log and the link."
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_NEVER_TAKEN = re.compile(r"(failed to|error) pars(e|ing) query|compilation failed|invalid regexp")
"""What both languages say of a text that they cannot read (2.9.1)."""


def failure(status: int, headers: Mapping[str, str], body: bytes, bucket: str | None = None) -> FluxgateError:
    """The error for an answer with `status` that is no success. `bucket`: the one asked about, for a 404."""
    reason = reason_of(body)
    if status in (401, 403):
        return StoreDenied(
            f"InfluxDB refuses the token ({status}).",
            advice="Check {token}, and that it may {rights}.",
            upstream=reason,
        )
    if status == 404 and bucket is not None and "bucket" in reason:
        return UnknownBucket(bucket)
    if status == 404 and "organization" in reason and "not found" in reason:
        return StoreDenied("InfluxDB has no such organization.", advice="Check {org}.", upstream=reason)
    if 300 <= status < 400:
        return StoreFailed(
            f"InfluxDB answers with a redirect ({status}), and none is followed.",
            advice="Set {url} to the address that it is at.",
            upstream=reason,
        )
    if status == 429:
        return _throttled(headers, reason)
    if status in (408, 504):
        return StoreTimeout(f"InfluxDB gave up ({status}). Read a shorter range, or ask later.", upstream=reason)
    if status in (502, 503):
        advice = "Ask again in a moment; if it stays so, look at its log."
        return StoreUnavailable(f"InfluxDB is not ready ({status}). {advice}", upstream=reason)
    return query_failure(reason, status)


def query_failure(reason: str, status: int | None = None) -> FluxgateError:
    """The error for a reason that a query ended with, before or in the middle of its answer."""
    if "queue length exceeded" in reason or "max concurrency" in reason:
        return StoreBusy("InfluxDB has too many queries waiting. Ask again.", _BUSY_S, upstream=reason)
    if "memory allocation limit" in reason:
        advice = "Read a shorter range or fewer series, or raise query-memory-bytes."
        return StoreLimit(f"InfluxDB ran into its memory limit. {advice}", upstream=reason)
    if "database not found" in reason or "retention policy not" in reason:
        return StoreFailed(
            "InfluxDB does not find the bucket by InfluxQL. InfluxDB Cloud wants a mapping for that:"
            " `influx v1 dbrp create --db BUCKET --rp autogen --default --bucket-id ID`.",
            upstream=reason,
        )
    if "timeout" in reason or "deadline exceeded" in reason:
        return StoreTimeout("InfluxDB ran out of time. Read a shorter range, or ask later.", upstream=reason)
    if _NEVER_TAKEN.search(reason):
        return QueryRefused(
            "InfluxDB does not take this question, because of a name in it. Leave that out.", upstream=reason
        )
    shown = f" ({status})" if status else ""
    advice = "Its log says more; a key with admin is shown its words."
    return StoreFailed(f"InfluxDB answered an error{shown}. {advice}", upstream=reason)


def reason_of(body: bytes) -> str:
    """The message of an error body: of its JSON, or the text without tags, cut to what is readable."""
    text = body[:8192].decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        text = str(document.get("message") or document.get("error") or text)
    text = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    return text[:LONGEST_UPSTREAM] or "no reason given"


def _throttled(headers: Mapping[str, str], reason: str) -> FluxgateError:
    wait = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    if _SECONDS.fullmatch(wait.strip()):
        return StoreBusy(f"InfluxDB asks to wait {wait.strip()} s.", float(wait), upstream=reason)
    if "cardinality" in reason:
        advice = "Raise the plan's limit or delete series."
        finding = f"InfluxDB refuses for a limit on series, which does not reset by itself. {advice}"
        return StoreFailed(finding, upstream=reason)
    return StoreBusy("InfluxDB asks to slow down.", 60.0, upstream=reason)


def unreadable_rows(broken: Exception) -> FluxgateError:
    """The error for rows that do not fit what was asked for. InfluxDB stores any bytes as text; ours is Unicode."""
    if isinstance(broken, UnicodeDecodeError) or "UTF8" in str(broken):
        return UnreadableText(
            "A text or tag in InfluxDB is not UTF-8, and no answer can carry it.", upstream=str(broken)
        )
    return StoreBroken("InfluxDB answered rows that make no sense. Ask again.", upstream=str(broken))


def not_an_answer(path: str, finding: str) -> StoreBroken:
    """The error for a 200 that is no answer of InfluxDB."""
    return StoreBroken(
        f"What answers {path} is not InfluxDB: {finding}.",
        advice="Check {url}, and what stands between (a proxy, a login page).",
    )
