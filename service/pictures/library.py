"""The drawing library: matplotlib's figures without pyplot, loaded with the first picture.

Its settings and its fonts belong to the process, so one picture is drawn at a time. Drawing is work of the interpreter;
two at a time would not be faster. What a user's matplotlibrc says is not used.
"""

import io
import logging
import threading
import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INCH = 72
"""The points of an inch. With as many pixels, a point is a pixel."""
_SETTINGS: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fluxgate",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "text.parse_math": False,
    "path.simplify": True,
    # A line of very many points needs more memory at one time than the renderer has.
    "agg.path.chunksize": 10_000,
}
_NO_SVG_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_lock = threading.Lock()


def svg_of(figure: Callable[[], "Figure"]) -> bytes:
    """The figure as an SVG document, the same bytes for the same figure."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    with _lock:
        load()
        FigureCanvasSVG(figure()).print_svg(buffer, metadata=_NO_SVG_METADATA)
    return buffer.getvalue()


def png_of(figure: Callable[[], "Figure"]) -> bytes:
    """The figure as PNG, with one pixel per point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    with _lock:
        load()
        FigureCanvasAgg(figure()).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


@cache
def load() -> None:
    """Import the library and give it its settings, once in a process."""
    import matplotlib

    # A font is chosen once; that one has no sign for a letter is said by the picture itself.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font", category=UserWarning)
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_SETTINGS)
