"""The parameters of a read: text in, a selection and a layout out, or a sentence that says what is allowed.

Pure: what "now" is comes in. Nothing is guessed; a parameter that does not exist is refused with the
name it may have meant.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, parse_time
from service.domain.windows import grids, surely_more_than
from service.encoding.encoders import Format, Layout, Shape
from service.errors import InvalidParameter, NotAcceptable, TooManyWindows

SIMPLE = ("window", "start", "stop", "every", "fn", "shape", "tz", "format", "limit")
REPEATED = ("measurement", "field")
TAG = "tag."
DEFAULT_WINDOW = "24h"
RAW = "raw"
_LONGEST_VALUE = 4096
_MOST_FILTERS = 1000
_MOST_MEDIA_RANGES = 50
_MOST_MEDIA_PARAMETERS = 10
_UTC = ("", "UTC")
Pairs = Sequence[tuple[str, str]]
Member = TypeVar("Member", Fn, Format, Shape)


@dataclass(frozen=True)
class Question:
    """A read, understood. `open_ended`: the range ends now, so the answer is soon old. `key` names it in the cache."""

    selection: Selection
    layout: Layout
    limit: int | None
    open_ended: bool
    key: str


def understand(bucket: str, pairs: Pairs, accept: str | None, now_ns: int, default_every: str, max_windows: int) -> Question:
    """Raises InvalidParameter, TooManyWindows, NotAcceptable."""
    simple, filters = _sorted_out(pairs)
    span, open_ended = _span(simple, now_ns)
    zone = _zone(simple.get("tz", "UTC"))
    every = simple.get("every", default_every)
    windows = _windows(every, simple, zone)
    if windows is not None:
        _count_windows(span, windows, every, max_windows)
    shape = _member(Shape, "shape", simple.get("shape", "long"))
    form = _member(Format, "format", simple["format"]) if "format" in simple else negotiate(accept)
    selection = Selection(
        bucket,
        span,
        windows,
        tuple(sorted(filters.pop("measurement", ()))),
        tuple(sorted(filters.pop("field", ()))),
        tuple((key.removeprefix(TAG), tuple(sorted(values))) for key, values in sorted(filters.items())),
        complete_rows=shape is Shape.WIDE,
    )
    layout = Layout(form, shape, zone, bucket, span, every)
    limit = _limit(simple.get("limit"))
    asked = sorted((name, value) for name, value in {**simple, "every": every, "tz": zone}.items() if name not in ("format", "shape"))
    key = repr((bucket, asked, selection.measurements, selection.fields, selection.tags, form.value, shape.value))
    return Question(selection, layout, limit, open_ended, key)


def needs_clock(pairs: Pairs) -> bool:
    """Whether `understand` looks at the local clock of a zone, which can take a tenth of a second the first time."""
    return any(name == "tz" and value not in _UTC for name, value in pairs)


def _count_windows(span: TimeRange, windows: Windows, every: str, most: int) -> None:
    """Raises TooManyWindows."""
    if windows.zone != "UTC" and surely_more_than(most, span, windows.every_ns):
        found = f"about {span.length_ns // windows.every_ns}"
    else:
        count = sum(grid.count for grid in grids(span, windows.every_ns, windows.zone))
        if count <= most:
            return
        found = str(count)
    raise TooManyWindows(f"every={every} makes {found} windows a series in this range; {most} is the limit. Use a longer every or a shorter range.")


def negotiate(accept: str | None) -> Format:
    """The format for an Accept header: the best that is offered; CSV when anything will do. Raises NotAcceptable.

    Only its first 50 media ranges count, and the first 10 parameters of each: browsers send about ten ranges.
    """
    if not accept or not accept.strip():
        return Format.CSV
    best: tuple[float, int, Format] | None = None
    for part in accept.split(",", _MOST_MEDIA_RANGES)[:_MOST_MEDIA_RANGES]:
        media, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        for place, form in enumerate(Format):
            fits = _fit(media.strip().lower(), form)
            if fits and quality > 0 and (best is None or (quality, fits, -place) > (best[0], best[1], -list(Format).index(best[2]))):
                best = (quality, fits, form)
    if best is None:
        offered = ", ".join(form.media_type for form in Format)
        raise NotAcceptable(f"No offered format fits Accept: {accept[:200]}. Offered: {offered}; or name one with format=.")
    return best[2]


def _fit(media: str, form: Format) -> int:
    """How exactly a media range names a format: 3 itself, 2 its group, 1 anything, 0 not."""
    own = form.media_type.split(";")[0]
    if media == own:
        return 3
    if media == "*/*":
        return 1
    return 2 if media.endswith("/*") and own.startswith(media[:-1]) else 0


def _quality(parameters: str) -> float:
    for one in parameters.split(";", _MOST_MEDIA_PARAMETERS)[:_MOST_MEDIA_PARAMETERS]:
        name, _, value = one.strip().partition("=")
        if name.lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _sorted_out(pairs: Pairs) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Simple parameters, each at most once, and filters with their values."""
    simple: dict[str, str] = {}
    filters: dict[str, set[str]] = {}
    for name, value in pairs:
        if len(value) > _LONGEST_VALUE:
            raise InvalidParameter(name, f"{name} is longer than {_LONGEST_VALUE} characters.")
        if name in REPEATED or (name.startswith(TAG) and len(name) > len(TAG)):
            filters.setdefault(name, set()).add(value)
        elif name in SIMPLE:
            if name in simple:
                raise InvalidParameter(name, f"{name} is given twice. Only measurement, field and tag.KEY may be repeated.")
            simple[name] = value
        else:
            raise unknown_parameter(name, [*SIMPLE, *REPEATED, "tag.KEY"])
    if len(pairs) > _MOST_FILTERS:
        raise InvalidParameter("filters", f"More than {_MOST_FILTERS} parameters. Ask for fewer names, or leave the filter out.")
    return simple, filters


def unknown_parameter(name: str, known: Iterable[str]) -> InvalidParameter:
    known = list(known)
    near = difflib.get_close_matches(name[:200], known, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InvalidParameter(name[:200], f"There is no parameter {name[:200]!r}.{hint} There are: {', '.join(known)}.")


def _span(simple: dict[str, str], now_ns: int) -> tuple[TimeRange, bool]:
    if "window" in simple and ("start" in simple or "stop" in simple):
        raise InvalidParameter("window", "Give either window or start and stop, not both.")
    if "start" not in simple:
        if "stop" in simple:
            raise InvalidParameter("start", "stop needs a start. Give start too, or window alone.")
        length_ns = parse_duration(simple.get("window", DEFAULT_WINDOW), "window")
        return TimeRange(max(now_ns - length_ns, EARLIEST_NS), now_ns), True
    start_ns = parse_time(simple["start"], "start")
    stop_ns = parse_time(simple["stop"], "stop") if "stop" in simple else now_ns
    if not start_ns < stop_ns <= LATEST_NS + 1:
        raise InvalidParameter("start", f"start={simple['start']} is not before the stop, {simple.get('stop', 'which is now')}. Swap or change them.")
    return TimeRange(start_ns, stop_ns), "stop" not in simple or stop_ns > now_ns


def _windows(every: str, simple: dict[str, str], zone: str) -> Windows | None:
    if every == RAW:
        if "fn" in simple:
            raise InvalidParameter("fn", "every=raw gives the points themselves, so fn has no meaning. Leave one of them out.")
        return None
    try:
        every_ns = parse_duration(every, "every")
    except InvalidParameter as refused:
        raise InvalidParameter("every", f"{refused.message} Or write every=raw for the points themselves.") from None
    return Windows(every_ns, _member(Fn, "fn", simple.get("fn", "mean")), zone)


def _member(kind: type[Member], parameter: str, text: str) -> Member:
    try:
        return kind(text)
    except ValueError:
        allowed = [str(one.value) for one in kind]
        near = difflib.get_close_matches(text[:100], allowed, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InvalidParameter(parameter, f"{parameter}={text[:100]!r} is unknown.{hint} Allowed: {', '.join(allowed)}.", allowed=allowed) from None


def _zone(text: str) -> str:
    if text in _UTC:
        return "UTC"
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        raise InvalidParameter("tz", f"tz={text[:100]!r} is no IANA time zone. Write one like Europe/Berlin or America/New_York.") from None
    return text


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) > 0):
        raise InvalidParameter("limit", f"limit={text[:100]!r} is not a number of rows. Write a whole number from 1 on.")
    return int(text)
