"""A read as a picture: its rows are looked at as they come, and drawn when all are there."""

import time
from collections.abc import Callable, Iterable, Iterator

from service.domain.durations import SECOND_NS
from service.domain.selection import Fn
from service.domain.timerange import parse_time
from service.errors import InvalidParameter
from service.frames.frame import Block
from service.pictures.chart import Chart
from service.pictures.facts import PictureFacts
from service.pictures.labels import labels
from service.pictures.look import Look
from service.pictures.picture import Picture
from service.pictures.pixel_columns import PixelColumns
from service.pictures.series_points import MOST_COUNTED, SeriesCollector
from service.pictures.time_ticks import local_text
from service.pictures.units import common_unit
from service.reads.empty_answers import NO_POINT
from service.reads.facts import NameList, ReadFacts
from service.reads.question import Question

_MOST_NAMED = 20
_SHORT_NS = 3600 * SECOND_NS
"""The ends of a shorter range are told with their seconds."""


def picture_of(
    blocks: Iterable[Block], question: Question, look: Look, texts: dict[str, str], drawn: Callable[[float], object]
) -> Iterator[bytes]:
    """The picture of the numbers in `blocks`, in one piece.

    `texts` are those of the answer's facts; they learn of the picture before it comes. `drawn` is called with the
    seconds that drawing took. Raises what `blocks` raises.
    """
    span = question.selection.span
    collector = SeriesCollector(PixelColumns(span, look.plot_width))
    for block in blocks:
        for frame in block:
            collector.add(frame)
    begun_s = time.perf_counter()
    picture = Picture.of(_chart(question, look, collector, ReadFacts.from_texts(texts)))
    document = picture.drawn()
    drawn(time.perf_counter() - begun_s)
    texts.update(_facts(picture, collector).texts())
    yield document


def _facts(picture: Picture, collector: SeriesCollector) -> PictureFacts:
    box, drawn = picture.box, len(picture.placed.chart.series)
    low, high = picture.values if drawn else (None, None)
    counts = drawn, collector.count, collector.not_finite
    return PictureFacts(box.left, box.top, box.width, box.height, low, high, *counts)


def _chart(question: Question, look: Look, collector: SeriesCollector, facts: ReadFacts) -> Chart:
    series = tuple(collector.series())
    return Chart(
        look,
        question.selection.span,
        question.layout.zone,
        title=question.selection.bucket,
        subtitle=_subtitle(question),
        series=series,
        labels=tuple(labels(series)),
        unit=common_unit(each.field for each in series),
        notes=tuple(_notes(len(series), collector, facts)),
        empty=() if series else tuple(_why_empty(question, facts)),
    )


def _subtitle(question: Question) -> str:
    windows, zone = question.selection.windows, question.layout.zone
    span = question.layout.span
    every = question.layout.every
    what = "All points" if windows is None or windows.fn is Fn.M4 else f"{windows.fn.value} of each {every}"
    is_short = span.length_ns < _SHORT_NS
    reach = " to ".join(local_text(time_ns, zone, is_short) for time_ns in (span.start_ns, span.stop_ns))
    return f"{what[0].upper()}{what[1:]}, {reach}, {zone}"


def _notes(drawn: int, collector: SeriesCollector, facts: ReadFacts) -> Iterator[str]:
    """What the picture does not show, the weightiest first."""
    if collector.count > drawn and drawn:
        count = f"{collector.count:,}" if collector.count < MOST_COUNTED else f"more than {MOST_COUNTED:,}"
        yield f"Only {drawn} of {count} series are drawn. Select measurements, fields or tags to see others."
    if facts.skipped.count:
        yield f"Not drawn, as they hold no numbers: {_listed(facts.skipped)}."
    if collector.not_finite:
        yield f"Not drawn: {collector.not_finite:,} values that are NaN or infinite."
    if facts.unknown.count:
        yield f"The bucket does not know: {_unknown(facts.unknown)}."


def _listed(names: NameList) -> str:
    listed = [".".join(parts) for parts in names.names[:_MOST_NAMED]]
    more = names.count - len(listed)
    return ", ".join(listed) + (f" and {more:,} more" if more else "")


def _unknown(names: NameList) -> str:
    """Each name is a kind, the key of a tag, the name, and near names."""
    return ", ".join(f"{kind} {name}" for kind, _, name, *_ in names.names[:_MOST_NAMED])


def _why_empty(question: Question, facts: ReadFacts) -> Iterator[str]:
    yield "No numbers in this range"
    if facts.newest == NO_POINT:
        yield "The bucket has no points."
    elif facts.newest:
        try:
            newest_ns = parse_time(facts.newest, "newest")
        except InvalidParameter:  # the store could not tell
            return
        yield f"The newest point of the bucket is of {local_text(newest_ns, question.layout.zone, with_seconds=True)}."
