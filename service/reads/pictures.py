"""A read as a picture: its rows are looked at as they come, and drawn when all are there."""

import time
from collections.abc import Callable, Iterable, Iterator

from service.domain.timerange import parse_time
from service.errors import InvalidParameter
from service.frames.frame import Block
from service.pictures.chart import Chart
from service.pictures.facts import PictureFacts
from service.pictures.labels import labels
from service.pictures.library import load_ahead
from service.pictures.look import Look
from service.pictures.picture import Picture
from service.pictures.pixel_columns import PixelColumns
from service.pictures.sentences import EMPTY, notes, unknown_names, what_is_shown
from service.pictures.series_points import SeriesCollector
from service.pictures.time_ticks import local_text
from service.pictures.units import common_unit
from service.reads.drawing import Drawing
from service.reads.empty_answers import NO_POINT
from service.reads.facts import ReadFacts
from service.reads.question import Question


def picture_of(
    blocks: Iterable[Block],
    question: Question,
    look: Look,
    texts: dict[str, str],
    on_drawn: Callable[[float], object],
    drawing: Drawing,
) -> Iterator[bytes]:
    """The picture of the numbers in `blocks`, in one piece.

    `texts` are those of the answer's facts. Before the picture comes, its own facts are added to them. `on_drawn` is
    called with the seconds that drawing took. `drawing` holds the slot meanwhile.

    Raises what `blocks` raises, StoreBroken when nobody wants the picture any more, and InvalidParameter.
    """
    load_ahead()
    span = question.selection.span
    collector = SeriesCollector(PixelColumns(span, look.plot_width))
    for block in blocks:
        for frame in block:
            collector.add(frame)
    begun_s = time.perf_counter()
    with drawing.under_way():
        picture = Picture.of(_chart(question, look, collector, ReadFacts.from_texts(texts)))
        document = picture.drawn(drawing.check)
    on_drawn(time.perf_counter() - begun_s)
    texts.update(_facts(picture, collector).texts())
    yield document


def _facts(picture: Picture, collector: SeriesCollector) -> PictureFacts:
    box, drawn = picture.box, len(picture.placed.chart.series)
    low, high = picture.values if drawn else (None, None)
    counts = drawn, collector.count, collector.not_finite
    return PictureFacts(box.left, box.top, box.width, box.height, low, high, *counts)


def _chart(question: Question, look: Look, collector: SeriesCollector, facts: ReadFacts) -> Chart:
    series = tuple(collector.series())
    windows, layout = question.selection.windows, question.layout
    return Chart(
        look,
        question.selection.span,
        layout.zone,
        title=question.selection.bucket,
        subtitle=what_is_shown(windows.fn if windows else None, layout.every, layout.span, layout.zone),
        series=series,
        labels=tuple(labels(series)),
        unit=common_unit(each.field for each in series),
        notes=tuple(_notes(len(series), collector, facts)),
        empty=() if series else tuple(_why_empty(question, facts)),
    )


def _notes(drawn: int, collector: SeriesCollector, facts: ReadFacts) -> Iterator[str]:
    """What the picture does not show."""
    skipped = [".".join(parts) for parts in facts.skipped.names]
    yield from notes(drawn, collector.count, skipped, facts.skipped.count, collector.not_finite)
    if facts.unknown.count:
        yield unknown_names([_unknown(*texts) for texts in facts.unknown.names])


def _unknown(kind: str, _: str, name: str, *near: str) -> str:
    """A name that the bucket does not know, as `X-Fluxgate-Warning` has it."""
    return f"{kind} {name} (near: {', '.join(near)})" if near else f"{kind} {name}"


def _why_empty(question: Question, facts: ReadFacts) -> Iterator[str]:
    yield EMPTY
    if facts.newest == NO_POINT:
        yield "The bucket has no points."
    elif facts.newest:
        try:
            newest_ns = parse_time(facts.newest, "newest")
        except InvalidParameter:  # the store could not tell
            return
        yield f"The newest point of the bucket is at {local_text(newest_ns, question.layout.zone, with_seconds=True)}."
