"""Requests as values: path, parameters and body. Nothing is sent here, and every name is exact or refused."""

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import quote, urlencode

from fluxgate_client.errors import InvalidRequest

Names = str | Iterable[str] | None
Moment = str | dt.datetime | None
Parameters = Sequence[tuple[str, str]]

_UNTIMED_LINE = re.compile(rb"^(?!.* -?\d+ *\r?$)[^\n]*[^\s][^\n]*$|^\s*#", re.MULTILINE)


class ReadOptions(TypedDict, total=False):
    """The parameters of `GET /buckets/{name}`; what is left out has the gateway's default.

    Several names in one filter mean "or". Datetimes must be aware. `width` to `legend` are for pictures alone.
    """

    window: str | None
    start: Moment
    stop: Moment
    every: str | None
    fn: str | None
    stamp: str | None
    align: bool | None
    measurement: Names
    field: Names
    tags: Mapping[str, Names] | None
    shape: str | None
    tz: str | None
    limit: int | None
    width: int | None
    height: int | None
    theme: str | None
    title: bool | None
    legend: bool | None


@dataclass(frozen=True)
class Request:
    """What is sent. `repeatable`: the gateway may carry it out twice without harm.

    Raises InvalidRequest for text that UTF-8 does not hold.
    """

    method: str
    path: str
    parameters: Parameters = ()
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True

    def __post_init__(self) -> None:
        try:
            _ = self.target
        except UnicodeEncodeError as broken:
            raise InvalidRequest(
                f"{broken.object!r} holds half a character (a surrogate), which no name can."
            ) from None

    @property
    def target(self) -> str:
        """Path and parameters, encoded."""
        return f"{self.path}?{urlencode(self.parameters, quote_via=quote)}" if self.parameters else self.path


def segment(name: str) -> str:
    """`name` as one part of a path. Raises InvalidRequest for a name that would lead to another route."""
    if name in ("", ".", ".."):
        raise InvalidRequest(f"The name {name!r} cannot be part of an address: it would lead to another route.")
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise InvalidRequest(f"{name!r} holds half a character (a surrogate), which no name can.") from None


def bucket_path(bucket: str, rest: str = "") -> str:
    return f"/buckets/{segment(bucket)}{rest}"


@dataclass(frozen=True)
class Read:
    """A read that is described and not yet sent; each format of its answer is one request."""

    path: str
    parameters: Parameters

    def request(self, format: str) -> Request:
        return Request("GET", self.path, [*self.parameters, ("format", format)])


def read(bucket: str, options: ReadOptions) -> Read:
    """A read of `bucket`. Raises InvalidRequest for a naive datetime or an option that does not exist."""
    _check_options("A read", options, ReadOptions)
    of_rows = ("window", "start", "stop", "every", "fn", "stamp", "align", "shape", "tz", "limit")
    of_pictures = ("width", "height", "theme", "title", "legend")
    given: Mapping[str, Any] = options
    parameters = [(name, text_of(given[name])) for name in (*of_rows, *of_pictures) if given.get(name) is not None]
    filters = {"measurement": options.get("measurement"), "field": options.get("field")}
    filters |= {f"tag.{key}": values for key, values in (options.get("tags") or {}).items()}
    parameters += [(name, value) for name, values in filters.items() for value in names(values)]
    return Read(bucket_path(bucket), tuple(parameters))


class LatestOptions(TypedDict, total=False):
    """The parameters of the latest telemetry, as `docs/telemetry.md` of the gateway says them. Absent: its defaults."""

    bucket: Names
    measurement: Names
    lookback: str | None
    by: str | None
    missing: str | None


def _check_options(what: str, options: Mapping[str, object], kind: type) -> None:
    unknown = set(options) - set(kind.__annotations__)
    if unknown:
        known = ", ".join(kind.__annotations__)
        raise InvalidRequest(f"{what} has no option {', '.join(sorted(unknown))}. There are: {known}.")


def latest(options: LatestOptions) -> Request:
    """The latest telemetry. Raises InvalidRequest for an option that does not exist."""
    _check_options("The latest telemetry", options, LatestOptions)
    given: Mapping[str, Any] = options
    parameters = [(name, value) for name in LatestOptions.__annotations__ for value in names(given.get(name))]
    return Request("GET", "/telemetry/latest", parameters)


def posted(path: str, parameters: Parameters = (), body: object = None, *, repeatable: bool = False) -> Request:
    """An order; `body` goes as JSON."""
    if body is None:
        return Request("POST", path, parameters, repeatable=repeatable)
    headers = {"Content-Type": "application/json"}
    return Request("POST", path, parameters, json.dumps(body).encode(), headers, repeatable)


def create_buckets(wanted: Any) -> Request:  # noqa: ANN401  (JSON as the caller has it)
    return posted("/buckets", body=wanted, repeatable=True)


def update_bucket(bucket: str, changes: Mapping[str, str | None]) -> Request:
    headers = {"Content-Type": "application/json"}
    return Request("PATCH", bucket_path(bucket), (), json.dumps(changes).encode(), headers)


def write(bucket: str, lines: str | bytes, precision: str, partial: bool) -> Request:
    """Line protocol for `bucket`. Repeatable when every line has a time: without one, each arrival is another point."""
    try:
        body = lines.encode() if isinstance(lines, str) else lines
    except UnicodeEncodeError:
        raise InvalidRequest("The lines hold half a character (a surrogate), which UTF-8 cannot.") from None
    parameters = [("precision", precision), ("partial", str(partial).lower())]
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return Request("POST", bucket_path(bucket, "/points"), parameters, body, headers, have_times(body))


def have_times(lines: bytes) -> bool:
    """Whether every line surely has a time. A line that is hard to judge counts as one without."""
    return _UNTIMED_LINE.search(lines) is None


def names(given: Names) -> list[str]:
    if given is None:
        return []
    return [given] if isinstance(given, str) else list(given)


def text_of(value: str | int | bool | dt.datetime) -> str:
    """A parameter's value as it is sent. Raises InvalidRequest for a naive datetime."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, dt.datetime):
        return str(value)
    if value.utcoffset() is None:
        raise InvalidRequest(
            f"{value!r} has no time zone: a naive time means nothing. Add tzinfo=datetime.UTC or a ZoneInfo."
        )
    return value.isoformat()
