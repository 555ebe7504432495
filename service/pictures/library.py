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
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

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
_FONT_FILES = {"normal": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf"}
_PACKING = 3
"""Of nine. A picture of lines hardly gets smaller by more, and takes twice as long."""
_lock = threading.Lock()


def svg_of(figure: Callable[[], "Figure"]) -> bytes:
    """The figure as an SVG document, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with _lock:
        load()
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        FigureCanvasSVG(figure()).print_svg(buffer, metadata=_NO_SVG_METADATA)
    return buffer.getvalue()


def png_of(figure: Callable[[], "Figure"]) -> bytes:
    """The figure as PNG, with one pixel per point. It is packed outside of the lock."""
    with _lock:
        load()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        canvas = FigureCanvasAgg(figure())
        canvas.draw()
    pixels = canvas.buffer_rgba()
    buffer = io.BytesIO()
    image = Image.frombuffer("RGBA", canvas.get_width_height(), pixels, "raw", "RGBA", 0, 1)
    image.convert("RGB").save(buffer, "png", compress_level=_PACKING)
    return buffer.getvalue()


def load_ahead() -> None:
    """Begin to load the library in a thread, unless it is loaded, so that it is there when a picture is drawn."""
    if not load.cache_info().currsize:
        threading.Thread(target=_load_in_turn, name="drawing library", daemon=True).start()


def _load_in_turn() -> None:
    with _lock:
        load()


@cache
def font(weight: str) -> "FontProperties":
    """The font that the library brings, `normal` or `bold`: the fonts of a machine change no picture."""
    import matplotlib
    from matplotlib.font_manager import FontProperties

    file = Path(matplotlib.get_data_path(), "fonts", "ttf", _FONT_FILES[weight])
    return FontProperties(fname=str(file), weight=weight)


@cache
def load() -> None:
    """Import the library and give it its settings, once in a process."""
    # It would warn of a home that it cannot write to, and of letters that its font lacks.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font", category=UserWarning)
    import matplotlib
    import matplotlib.figure

    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_SETTINGS)
