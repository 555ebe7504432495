"""How a picture looks: its size and colours, and where its parts lie.

All lengths are CSS pixels. The distances from the edges of the picture to its plot depend on the look alone, except the
one below the plot, where the legend and the notes stand.
"""

from dataclasses import dataclass
from enum import StrEnum

WIDTHS = range(240, 3841)
HEIGHTS = range(200, 2161)
LEFT, RIGHT = 64, 24
_TOP_WITH_TITLE, _TOP_ALONE = 68, 28


class Form(StrEnum):
    """The kinds of pictures, by the value of `format=`."""

    SVG = "svg"
    PNG = "png"

    @property
    def media_type(self) -> str:
        return {Form.SVG: "image/svg+xml", Form.PNG: "image/png"}[self]


class Theme(StrEnum):
    """The colours of a picture."""

    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class Look:
    """`width` lies in `WIDTHS`, `height` in `HEIGHTS`. `title` and `legend`: whether there is one."""

    form: Form = Form.SVG
    width: int = 960
    height: int = 420
    theme: Theme = Theme.LIGHT
    title: bool = True
    legend: bool = True

    def __post_init__(self) -> None:
        if self.width not in WIDTHS or self.height not in HEIGHTS:
            raise ValueError(f"no size of a picture: {self.width} x {self.height}")

    @property
    def plot_width(self) -> int:
        """The width of the plot: so many columns of pixels show the range."""
        return self.width - LEFT - RIGHT

    @property
    def plot_top(self) -> int:
        return _TOP_WITH_TITLE if self.title else _TOP_ALONE


@dataclass(frozen=True)
class PlotBox:
    """The rectangle in which the lines are drawn. `left` and `top` count from the upper left corner of the picture."""

    left: int
    top: int
    width: int
    height: int
