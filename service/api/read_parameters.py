"""Parses the parameters of a read into a question, or raises an error that says what is allowed.

It is pure: the caller passes the current time. Nothing is guessed. An unknown parameter is refused, and the error
names a similar one.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from service.api.choices import flag, member, refuse
from service.api.picture_parameters import OF_PICTURES, look_of
from service.domain.durations import parse_duration
from service.domain.local_time import is_zone
from service.domain.moments import parse_moment
from service.domain.selection import Fn, Stamp
from service.encoding.encoders import CsvDialect, Format, Shape
from service.errors import InvalidParameter, NotAcceptable
from service.pictures.look import Form
from service.reads.question import BY_WIDTH, AskedRead, Between, LastWindow, Question

_OF_ROWS = ("window", "start", "stop", "every", "fn", "stamp", "align", "shape", "tz", "format", "bom", "sep", "limit")
SIMPLE = (*_OF_ROWS, *OF_PICTURES)
REPEATED = ("measurement", "field")
TAG = "tag."
DEFAULT_WINDOW = "24h"
_LONGEST_VALUE = 4096
_MOST_FILTERS = 1000
_MOST_MEDIA_RANGES = 50
_MOST_MEDIA_PARAMETERS = 10
_UTC = ("", "UTC")
_FORMS: tuple[Format | Form, ...] = (*Format, *Form)
_SEPARATORS = {",": ",", ";": ";", "tab": "\t"}
Pairs = Sequence[tuple[str, str]]
Filters = dict[str, set[str]]
"""Values by the name of the parameter: `measurement`, `field`, `tag.KEY`."""


def parse_question(
    bucket: str,
    pairs: Pairs,
    accept: str | None,
    now_ns: int,
    default_every: str,
    max_windows: int,
) -> Question:
    """The question that the parameters ask. Raises InvalidParameter, TooManyWindows, NotAcceptable."""
    simple, filters = split_parameters(pairs, SIMPLE)
    zone = zone_named(simple.get("tz", ""))
    form = _form(simple["format"]) if "format" in simple else negotiate(accept)
    picture = look_of(simple, form)
    fn = member(Fn, "fn", simple["fn"]) if "fn" in simple else None
    every = BY_WIDTH if picture is not None and fn in (None, Fn.M4) else default_every
    read = AskedRead(
        bucket,
        asked_range(simple, zone),
        every=simple.get("every", every),
        fn=fn,
        measurements=tuple(filters.get("measurement", ())),
        fields=tuple(filters.get("field", ())),
        tags=tag_filters(filters),
        format=form if isinstance(form, Format) else Format.CSV,
        shape=member(Shape, "shape", simple.get("shape", "long")),
        zone=zone or "UTC",
        limit=_limit(simple.get("limit")),
        stamp=member(Stamp, "stamp", simple["stamp"]) if "stamp" in simple else None,
        align=flag("align", simple.get("align", "false"), "align=true gives whole windows only."),
        csv=_csv_dialect(simple, form),
        picture=picture,
    )
    return read.at(now_ns, max_windows)


def needs_clock(pairs: Pairs) -> bool:
    """Whether `parse_question` loads a time zone, which can take a tenth of a second the first time."""
    return any(name == "tz" and value not in _UTC for name, value in pairs)


def negotiate(accept: str | None) -> Format | Form:
    """The best offered format for an Accept header; CSV when every format fits. Raises NotAcceptable.

    Only its first 50 media ranges count, and the first 10 parameters of each: browsers send about ten ranges.
    """
    if not accept or not accept.strip():
        return Format.CSV
    best: tuple[tuple[float, int, int], Format | Form] | None = None
    for part in accept.split(",", _MOST_MEDIA_RANGES)[:_MOST_MEDIA_RANGES]:
        media, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        for position, form in enumerate(_FORMS):
            fit = _fit(media.strip().lower(), form)
            rank = (quality, fit, -position)
            if fit and quality > 0 and (best is None or rank > best[0]):
                best = (rank, form)
    if best is None:
        offered = ", ".join(form.media_type for form in _FORMS)
        refusal = f"No offered format fits Accept: {accept[:200]}."
        raise NotAcceptable(f"{refusal} Offered: {offered}; or name one with format=.")
    return best[1]


def _fit(media: str, form: Format | Form) -> int:
    """How exactly a media range names a format: 3 by its type, 2 by its group, 1 by */*, 0 not at all.

    A picture has to be named by its type: browsers and programs that take anything want the rows.
    """
    media_type = form.media_type.split(";")[0]
    if media == media_type:
        return 3
    if isinstance(form, Form):
        return 0
    if media == "*/*":
        return 1
    return 2 if media.endswith("/*") and media_type.startswith(media[:-1]) else 0


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";", _MOST_MEDIA_PARAMETERS)[:_MOST_MEDIA_PARAMETERS]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def split_parameters(pairs: Pairs, known: Sequence[str]) -> tuple[dict[str, str], Filters]:
    """The `known` simple parameters, each at most once, and the filters with their values. Raises InvalidParameter."""
    simple: dict[str, str] = {}
    filters: Filters = {}
    for name, value in pairs:
        if len(value) > _LONGEST_VALUE:
            raise InvalidParameter(name, f"{name} is longer than {_LONGEST_VALUE} characters.")
        if name in REPEATED or (name.startswith(TAG) and len(name) > len(TAG)):
            filters.setdefault(name, set()).add(value)
        elif name in known:
            if name in simple:
                reason = f"{name} is given twice. Only measurement, field and tag.KEY may be repeated."
                raise InvalidParameter(name, reason)
            simple[name] = value
        else:
            raise unknown_parameter(name, [*known, *REPEATED, "tag.KEY"])
    if len(pairs) > _MOST_FILTERS:
        reason = f"More than {_MOST_FILTERS} parameters. Ask for fewer names, or leave the filter out."
        raise InvalidParameter("filters", reason)
    return simple, filters


def unknown_parameter(name: str, known: Iterable[str]) -> InvalidParameter:
    """The error for a parameter that is not `known`. It names a similar one."""
    names = list(known)
    near = difflib.get_close_matches(name[:200], names, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    tag = f" A tag is written {TAG}{name[:200]}=VALUE." if f"{TAG}KEY" in known else ""
    reason = f"There is no parameter {name[:200]!r}.{hint}{tag} There are: {', '.join(names)}."
    return InvalidParameter(name[:200], reason)


def tag_filters(filters: Filters) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The keys of the filters by tags, with the values that are accepted."""
    return tuple((key.removeprefix(TAG), tuple(values)) for key, values in filters.items() if key.startswith(TAG))


def asked_range(simple: Mapping[str, str], zone: str | None) -> LastWindow | Between:
    """What `window`, or `start` and `stop`, ask for. `zone`: of times without an offset. Raises InvalidParameter."""
    if "window" in simple and ("start" in simple or "stop" in simple):
        raise InvalidParameter("window", "Give either window or start and stop, not both.")
    if "start" not in simple:
        if "stop" in simple:
            raise InvalidParameter("start", "stop needs a start. Give start too, or window alone.")
        return LastWindow(parse_duration(simple.get("window", DEFAULT_WINDOW), "window"))
    start_ns = parse_moment(simple["start"], "start", zone)
    return Between(start_ns, parse_moment(simple["stop"], "stop", zone) if "stop" in simple else None)


def _form(text: str) -> Format | Form:
    """The format with this name. Raises InvalidParameter."""
    named = next((form for form in _FORMS if form.value == text), None)
    return named or refuse("format", text, [form.value for form in _FORMS])


def _csv_dialect(simple: Mapping[str, str], form: Format | Form) -> CsvDialect:
    for parameter in ("bom", "sep"):
        if parameter in simple and form is not Format.CSV:
            reason = f"{parameter} is for CSV, and this answer is {form.value}. Leave it out, or write format=csv."
            raise InvalidParameter(parameter, reason)
    mark, separator = flag("bom", simple.get("bom", "false")), simple.get("sep", ",")
    if separator not in _SEPARATORS:
        allowed = list(_SEPARATORS)
        reason = f"sep={separator[:50]!r} separates no cells. Allowed: a comma, a semicolon (;), or the word tab."
        raise InvalidParameter("sep", reason, allowed=allowed)
    return CsvDialect(_SEPARATORS[separator], mark)


def zone_named(text: str) -> str | None:
    """The IANA name; None when no zone is named. Raises InvalidParameter."""
    if text in _UTC:
        return text or None
    if not is_zone(text):
        reason = f"tz={text[:100]!r} is no IANA time zone. Write one like Europe/Berlin or America/New_York."
        raise InvalidParameter("tz", reason)
    return text


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) > 0):
        reason = f"limit={text[:100]!r} is not a number of rows. Write a whole number from 1 on."
        raise InvalidParameter("limit", reason)
    return int(text)
