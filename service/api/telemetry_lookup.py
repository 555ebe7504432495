"""One look-up of the newest telemetry for all listeners of a question, and what to note beside the values."""

from collections.abc import Callable, Iterator
from functools import partial

import orjson

from service.api.store_calls import call_store
from service.api.telemetry_topics import Lookup, LookupResult
from service.api.thread_pools import ThreadPool
from service.cache.cancel_token import CancelToken
from service.domain.access import Principal
from service.errors import InvalidParameter
from service.reads.facts import LatestFacts, NameList
from service.reads.telemetry import TelemetryReads
from service.reads.telemetry_changes import Snapshot


def telemetry_lookup(
    telemetry: TelemetryReads, pool: ThreadPool, most_bytes: int, clock_ns: Callable[[], int]
) -> Lookup:
    """Ask `telemetry` in a thread of `pool`. An answer of more than `most_bytes` is refused with InvalidParameter."""

    def act(last: Snapshot, reader: Principal, forced: bool, token: CancelToken) -> LookupResult:
        answer = telemetry.latest(last.question, reader, token)
        try:
            document = b"".join(_bounded(answer.served.chunks, most_bytes))
        finally:
            answer.served.close()
        snapshot = last.followed_by(document, clock_ns() // 1_000_000, forced)
        return LookupResult(snapshot, notes_of(answer.facts), answer.served.age_s)

    async def lookup(last: Snapshot, reader: Principal, forced: bool, token: CancelToken) -> LookupResult:
        return await call_store(pool, reader, partial(act, last, reader, forced, token))

    return lookup


def _bounded(chunks: Iterator[bytes | memoryview], most_bytes: int) -> Iterator[bytes | memoryview]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most_bytes:
            reason = f"The newest values have more than {most_bytes // 1024} KB (TELEMETRY_STREAM_KB)."
            raise InvalidParameter("measurement", f"{reason} Name fewer with bucket= and measurement=.")
        yield chunk


def notes_of(facts: LatestFacts) -> bytes:
    """What the headers of an answer would name: by fact, the count of names and the first of them, as paths."""
    lists = {
        "silent": facts.silent,
        "text": facts.text,
        "merged": facts.merged,
        "renamed": facts.renamed,
        "unread_buckets": facts.unread,
        "unread_measurements": facts.unread_measurements,
    }
    return orjson.dumps({fact: _note(names) for fact, names in lists.items() if names.count})


def _note(names: NameList) -> dict[str, object]:
    return {"count": names.count, "names": [list(name) for name in names.names]}
