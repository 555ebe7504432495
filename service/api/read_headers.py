"""Makes the headers of an answer from its facts."""

from collections.abc import Mapping
from urllib.parse import quote

from service.api.name_encoding import header_names, header_unknown
from service.cache.answers import Served
from service.domain.durations import SECOND_NS
from service.domain.timerange import TimeRange, format_time
from service.encoding.encoders import Format, Shape
from service.pictures.facts import PictureFacts
from service.reads.bucket_reads import ReadAnswer
from service.reads.facts import ReadFacts
from service.reads.gaps import GapAnswer
from service.reads.origins import asked_at_ns, kept_before
from service.reads.question import Question
from service.reads.telemetry import LatestAnswer

CACHE = "X-Fluxgate-Cache"
_FILE_EXTENSIONS = {
    Format.CSV: "csv",
    Format.JSON: "json",
    Format.NDJSON: "ndjson",
    Format.PARQUET: "parquet",
    Format.ARROW: "arrows",
    Format.ARROW_FILE: "arrow",
    Format.XLSX: "xlsx",
    Format.LINE_PROTOCOL: "lp",
    Format.ANNOTATED_CSV: "csv",
}


_ALONE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
"""An SVG that is opened by itself is a document: it may run no script, and load nothing."""


def read_headers(answer: ReadAnswer, now_ns: int) -> dict[str, str]:
    """The headers of a read of a bucket."""
    return {**facts_headers(answer.question, answer.facts), **cache_headers(answer.served, now_ns)}


def facts_headers(question: Question, facts: ReadFacts) -> dict[str, str]:
    """The headers that are known before the first row."""
    selection, layout = question.selection, question.layout
    headers = {
        "Content-Type": question.media_type,
        "X-Fluxgate-Start": format_time(facts.span.start_ns),
        "X-Fluxgate-Stop": format_time(facts.span.stop_ns),
        "X-Fluxgate-Every": layout.every,
        "X-Fluxgate-Store": facts.store,
        "Content-Disposition": _disposition(question),
        "Vary": "Accept, Accept-Encoding, X-API-Key, Authorization",
        "Cache-Control": "private",
    }
    if question.picture is None:
        in_series = "" if layout.shape is Shape.TABLE else " within a series"
        headers |= {"X-Fluxgate-Shape": layout.shape.value, "X-Fluxgate-Row-Order": f"time ascending{in_series}"}
    else:
        headers |= _ALONE
    if facts.picture is not None:
        headers |= _picture_headers(facts.picture, facts.span)
    if selection.windows is not None:
        headers["X-Fluxgate-Fn"] = selection.windows.fn.value
        headers["X-Fluxgate-Stamp"] = selection.windows.stamp.value
    if question.aligned:
        headers["X-Fluxgate-Align"] = "true"
    if facts.skipped.count:
        headers["X-Fluxgate-Skipped-Fields"] = header_names(facts.skipped.names)
    if facts.unknown.count:
        headers["X-Fluxgate-Warning"] = header_unknown(facts.unknown.names)
    if facts.newest:
        headers["X-Fluxgate-Newest-Point"] = facts.newest
    return headers


def _picture_headers(picture: PictureFacts, span: TimeRange) -> dict[str, str]:
    """Where the plot is and what its edges mean, and how much of the answer is in the picture."""
    plot = {
        **{name: getattr(picture, name) for name in ("left", "top", "width", "height")},
        "start": format_time(span.start_ns),
        "stop": format_time(span.stop_ns),
        **({} if picture.low is None else {"low": picture.low, "high": picture.high}),
    }
    drawn = {"series": picture.drawn, "of": picture.series, "not-finite": picture.not_finite}
    return {"X-Fluxgate-Plot": _members(plot), "X-Fluxgate-Drawn": _members(drawn)}


def _members(values: Mapping[str, object]) -> str:
    return "; ".join(f"{name}={value}" for name, value in values.items())


def cache_headers(served: Served, now_ns: int) -> dict[str, str]:
    """Where an answer is from, when the store was asked for the oldest part of it, how old that is, and its tag."""
    kept, asked_ns = kept_before(served.headers), asked_at_ns(served.headers)
    as_of_ns = now_ns - int(served.age_s * SECOND_NS) if asked_ns is None else min(asked_ns, now_ns)
    return {
        CACHE: kept if served.outcome == "miss" and kept else cache_header(served),
        "Age": str((now_ns - as_of_ns) // SECOND_NS),
        "X-Fluxgate-As-Of": format_time(as_of_ns),
        **({"ETag": served.etag} if served.etag else {}),
    }


def is_unchanged(etag: str, if_none_match: str | None) -> bool:
    """Whether the client has the answer with `etag` already, by an If-None-Match header. An empty tag is of none."""
    if not etag or not if_none_match:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag.removeprefix("W/") in tags or "*" in tags


def gap_headers(answer: GapAnswer, now_ns: int) -> dict[str, str]:
    """The headers of the gaps of a bucket."""
    facts = answer.facts
    headers = {
        "Content-Type": "application/json",
        "X-Fluxgate-Start": format_time(facts.span.start_ns),
        "X-Fluxgate-Stop": format_time(facts.span.stop_ns),
        "X-Fluxgate-Store": facts.store,
        **cache_headers(answer.served, now_ns),
        "Vary": "Accept-Encoding, X-API-Key, Authorization",
        "Cache-Control": "private",
    }
    return headers | ({"X-Fluxgate-Warning": header_unknown(facts.unknown.names)} if facts.unknown.count else {})


def latest_headers(answer: LatestAnswer, now_ns: int) -> dict[str, str]:
    """The headers of the latest telemetry."""
    facts = answer.facts
    headers = {
        "Content-Type": "application/json",
        "X-Fluxgate-Store": facts.store,
        **cache_headers(answer.served, now_ns),
        "Cache-Control": "private",
    }
    lists = {
        "X-Fluxgate-Text-Fields": facts.text,
        "X-Fluxgate-Silent-Fields": facts.silent,
        "X-Fluxgate-Merged-Series": facts.merged,
        "X-Fluxgate-Renamed": facts.renamed,
        "X-Fluxgate-Unread-Buckets": facts.unread,
        "X-Fluxgate-Unread-Measurements": facts.unread_measurements,
    }
    return headers | {header: header_names(names.names) for header, names in lists.items() if names.count}


def cache_header(served: Served) -> str:
    """The value of X-Fluxgate-Cache."""
    if served.outcome in ("hit", "stale"):
        return f"{served.outcome}; age={int(served.age_s)}"
    return f"bypass; reason={served.reason.replace(' ', '-')}" if served.outcome == "bypass" else served.outcome


def _disposition(question: Question) -> str:
    """The file name for browsers (RFC 6266), once in plain ASCII and once exact."""
    bucket, form, picture = question.selection.bucket, question.layout.format, question.picture
    letters = (letter if letter.isascii() and (letter.isalnum() or letter in " -_.") else "_" for letter in bucket)
    plain, exact, extension = "".join(letters)[:80], quote(bucket[:200], safe=""), _FILE_EXTENSIONS[form]
    disposition = "attachment" if form.is_file and picture is None else "inline"
    extension = extension if picture is None else picture.form.value
    return f"{disposition}; filename=\"{plain}.{extension}\"; filename*=UTF-8''{exact}.{extension}"
