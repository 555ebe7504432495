"""Making the answer of a read: a slot, the store's frames, an encoder, and the headers that say what was done."""

import time
from collections.abc import Iterator
from urllib.parse import quote

from service.api.deps import Parts
from service.api.names import header_names
from service.api.read_parameters import RAW, Question
from service.cache.single_flight import Produced
from service.domain.durations import parse_duration
from service.domain.timerange import format_time
from service.encoding.encoders import Format, encode
from service.errors import FluxgateError, StoreTimeout
from service.frames.frame import Block, Reading

_ENDINGS = {Format.CSV: "csv", Format.JSON: "json", Format.NDJSON: "ndjson", Format.PARQUET: "parquet", Format.ARROW: "arrows"}


def kept_as(parts: Parts, question: Question) -> tuple[str, list[str], float]:
    """How the cache knows an answer: its key (the question, and which database answers it), its buckets, and for how long."""
    return f"{parts.limits.store_identity}\0read\0{question.key}", [question.selection.bucket], _ttl_s(parts, question)


def _ttl_s(parts: Parts, question: Question) -> float:
    """How long an answer may be kept: one about a closed range for long, one that ends now for a moment, never longer than `every`."""
    if not question.open_ended:
        return parts.limits.cache_closed_s
    every_s = float("inf") if question.layout.every == RAW else parse_duration(question.layout.every, "every") / 1e9
    return min(parts.limits.cache_open_s, every_s)


def produce(parts: Parts, question: Question, key_id: str) -> Produced:
    """Begin a read, in a slot of the key that asked first; others may join it. Raises TooManyReads, and what the store raises."""
    give_back = parts.slots.take(key_id)
    try:
        reading = parts.store.read(question.selection)
    except BaseException:
        give_back()
        raise

    def end() -> None:
        reading.cancel()
        give_back()
        parts.memory.read_ended()

    chunks = encode(_measured(parts, reading), reading.plan, question.layout, question.limit)
    return Produced(_headers(parts, question, reading), chunks, end)


def _measured(parts: Parts, reading: Reading) -> Iterator[Block]:
    """The blocks, counted; a read that takes too long ends here whatever the store."""
    begun = time.monotonic()
    try:
        for block in reading.blocks:
            if time.monotonic() - begun > parts.limits.read_timeout_s:
                raise StoreTimeout("The read took longer than READ_TIMEOUT_S. Read a shorter range, or raise it.")
            parts.metrics.upstream_rows.inc(sum(frame.num_rows for frame in block))
            yield block
    except FluxgateError as error:
        parts.metrics.upstream_failures.labels(error.code).inc()
        raise
    finally:
        parts.metrics.upstream_seconds.observe(time.monotonic() - begun)


def _headers(parts: Parts, question: Question, reading: Reading) -> dict[str, str]:
    selection, layout = question.selection, question.layout
    headers = {
        "Content-Type": layout.format.media_type,
        "X-Fluxgate-Start": format_time(selection.span.start_ns),
        "X-Fluxgate-Stop": format_time(selection.span.stop_ns),
        "X-Fluxgate-Every": layout.every,
        "X-Fluxgate-Row-Order": "time ascending within a series",
        "X-Fluxgate-Store": parts.store.name,
        "Content-Disposition": _disposition(selection.bucket, layout.format),
    }
    if selection.windows is not None:
        headers["X-Fluxgate-Fn"] = selection.windows.fn.value
    if reading.plan.skipped:
        headers["X-Fluxgate-Skipped-Fields"] = header_names((one.measurement, one.field) for one in reading.plan.skipped)
    return headers


def _disposition(bucket: str, form: Format) -> str:
    """A file name for browsers (RFC 6266), plain and exact."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in " -_.") else "_" for letter in bucket)[:80]
    kind = "attachment" if form.columnar else "inline"
    return f"{kind}; filename=\"{plain}.{_ENDINGS[form]}\"; filename*=UTF-8''{quote(bucket[:200], safe='')}.{_ENDINGS[form]}"
