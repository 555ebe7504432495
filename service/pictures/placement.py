"""Where the parts of a picture stand: the plot, the entries of the legend, the notes. All in CSS pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.pictures.chart import Chart
from service.pictures.look import LEFT, PlotBox
from service.pictures.texts import cut_to_width, printable, width_px

TEXT_PX = 11.5
_TIMES_PX = 40
"""The height of the labels of the axis of time, in two lines."""
_LEGEND_ROW_PX, _NOTE_PX, _EDGE_PX = 19, 17, 8
_LEAST_PLOT_PX = 40
_LEGEND_SHARE = 0.35
"""So much of the height the legend takes at most."""
SWATCH_PX = 26
"""How far the text of a legend entry stands behind the begin of its stroke."""
_ENTRY_GAP_PX = 20
_LONGEST_LABEL, _MOST_NOTES, _LONGEST_NOTE = 160, 3, 400


@dataclass(frozen=True)
class PlacedText:
    """A text whose base line begins at `left` and lies `top` below the upper edge."""

    left: float
    top: float
    text: str


@dataclass(frozen=True)
class Placement:
    """`entries`: of the legend, for the first series in their order. `more`: says how many are not named."""

    box: PlotBox
    entries: tuple[PlacedText, ...]
    more: PlacedText | None
    notes: tuple[PlacedText, ...]


def place(chart: Chart) -> Placement:
    """Where everything goes. The legend gets the rows that it needs, up to a third of the height."""
    look = chart.look
    width = look.plot_width
    texts = [cut_to_width(printable(label, _LONGEST_LABEL), width - SWATCH_PX, TEXT_PX) for label in chart.labels]
    wanted = texts if look.legend else []
    entry_px = max((width_px(text, TEXT_PX) for text in wanted), default=0) + SWATCH_PX + _ENTRY_GAP_PX
    columns = max(1, int((width + _ENTRY_GAP_PX) // entry_px))
    room = look.height - look.plot_top - _TIMES_PX - _EDGE_PX - _LEAST_PLOT_PX
    notes = _note_lines(chart.notes, (room - (_LEGEND_ROW_PX if wanted else 0)) // _NOTE_PX)
    most_rows = min(int(look.height * _LEGEND_SHARE), room - len(notes) * _NOTE_PX) // _LEGEND_ROW_PX
    rows = min(max(1, most_rows), -(-len(wanted) // columns))
    named = wanted if len(wanted) <= rows * columns else wanted[: max(rows * columns - 1, 0)]
    legend_px, notes_px = rows * _LEGEND_ROW_PX, len(notes) * _NOTE_PX
    height = look.height - look.plot_top - _TIMES_PX - legend_px - notes_px - _EDGE_PX
    box = PlotBox(LEFT, look.plot_top, width, height)
    legend_top = box.top + height + _TIMES_PX + 13
    places = [
        (LEFT + number % columns * entry_px, legend_top + number // columns * _LEGEND_ROW_PX)
        for number in range(rows * columns)
    ]
    entries = tuple(PlacedText(left, top, text) for (left, top), text in zip(places, named, strict=False))
    more = f"+ {len(wanted) - len(named)} more" if len(named) < len(wanted) else ""
    notes_top = legend_top + legend_px
    return Placement(
        box,
        entries,
        PlacedText(*places[len(named)], more) if more else None,
        tuple(PlacedText(LEFT, notes_top + number * _NOTE_PX, _note(note, width)) for number, note in enumerate(notes)),
    )


def _note_lines(notes: Sequence[str], most: int) -> list[str]:
    """The notes on lines of their own, those that have no room on the last of them."""
    count = max(1, min(most, _MOST_NOTES))
    return [*notes[: count - 1], " ".join(notes[count - 1 :])] if len(notes) > count else list(notes)


def _note(note: str, width: float) -> str:
    return cut_to_width(printable(note, _LONGEST_NOTE), width, TEXT_PX)
