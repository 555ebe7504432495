"""The colours of pictures: lines that people with any colour vision tell apart, on a light and a dark ground."""

from dataclasses import dataclass

from service.pictures.look import Theme

# After Okabe and Ito, "Color Universal Design" (2008), each set made darker or brighter for its ground.
_ON_LIGHT = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc5a9c",
    "#8a6d00",
    "#3a9ad9",
    "#7b4fc9",
    "#5f6b76",
    "#a3341f",
    "#2f8f9d",
)
_ON_DARK = (
    "#4fa8e8",
    "#ff8f4d",
    "#3fcf9f",
    "#f08cc8",
    "#e6c229",
    "#9fd3ff",
    "#b79bff",
    "#b4bfca",
    "#ff7d6b",
    "#5fd0dd",
)
_DASHES = ("-", "--", ":", "-.", (0, (1, 3)))


@dataclass(frozen=True)
class Colours:
    """`muted`: of the texts beside the axes; `faint`: of lines behind the series; `warning`: of what is missing."""

    ground: str
    text: str
    muted: str
    faint: str
    axis: str
    warning: str
    lines: tuple[str, ...]


COLOURS = {
    Theme.LIGHT: Colours("#ffffff", "#1b2530", "#5a6672", "#e6eaee", "#aab4be", "#9a4a00", _ON_LIGHT),
    Theme.DARK: Colours("#14191f", "#e8edf2", "#9aa7b4", "#262e37", "#4a5663", "#ffb36b", _ON_DARK),
}
Dashes = str | tuple[int, tuple[int, int]]


def stroke(colours: Colours, number: int) -> tuple[str, Dashes]:
    """The colour and the dashes of the line with this number: fifty pairs before one comes again."""
    count = len(colours.lines)
    return colours.lines[number % count], _DASHES[number // count % len(_DASHES)]
