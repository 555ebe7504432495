"""Pictures as bytes: well-formed, the same for the same data, safe with any name, from any thread."""

import io
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from service.domain.timerange import TimeRange
from service.errors import InvalidParameter
from service.pictures.chart import Chart
from service.pictures.look import HEIGHTS, LEFT, WIDTHS, Form, Look, Theme
from service.pictures.picture import Picture
from service.pictures.pixel_columns import PixelColumns, visible_points
from service.pictures.texts import width_px
from service.pictures.themes import COLOURS, stroke
from tests.unit.pictures.charts import DAY, chart, series

Pixels = npt.NDArray[np.bool_]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><image href='http://example.com/x.png'/>",
    "]]><!-- & &amp; &#0;",
    "$x^2$ $\\frac{1}{2}$ \\$",
    "😀 温度 مرحبا שלום",
    "\u202ereversed\u202c",
    "nul\x00 bell\x07 line\nline",
    "half \ud800 pair",
    "x" * 1000,
    "",
]


# pytest counts warnings anew in each test, also those that the library is told to leave out.
pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from font")


def svg(shown: Chart) -> ET.Element:
    return ET.fromstring(Picture.of(shown).drawn())


def texts(shown: Chart) -> list[str]:
    return [element.text or "" for element in svg(shown).iter(f"{SVG}text")]


def image(shown: Chart) -> Image.Image:
    return Image.open(io.BytesIO(Picture.of(replace(shown, look=replace(shown.look, form=Form.PNG))).drawn()))


def test_a_picture_names_what_it_shows() -> None:
    shown = chart(series("power_kw", [1, 2, 3]), unit="kW", notes=("Not drawn: a.",), subtitle="Mean of each 10m")
    assert {"Power", "Mean of each 10m", "kW", "power_kw", "Not drawn: a.", "12:00", "1 Jan 2026"} <= set(texts(shown))


def test_a_picture_has_the_size_that_was_asked_for() -> None:
    look = Look(width=640, height=300)
    root = svg(chart(series("a", [1, 2]), look=look))
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("640", "300", "0 0 640 300")
    assert image(chart(series("a", [1, 2]), look=look)).size == (640, 300)


def test_the_plot_lies_where_the_picture_says() -> None:
    """The line goes through the corners of the plot's range of time: its ends are the ends of the plot."""
    shown = chart(series("a", [0, 10], every_s=86_399))
    picture = Picture.of(shown)
    box, (low, high) = picture.box, picture.values
    line = max(svg(shown).iter(f"{SVG}path"), key=lambda path: "1.4" in (path.get("style") or ""))
    numbers = [float(part) for part in (line.get("d") or "").split() if part not in "ML"]
    left, bottom, right, top = numbers
    assert (left, round(right)) == (box.left, box.left + box.width)
    assert bottom == pytest.approx(box.top + box.height * (high - 0) / (high - low), abs=0.1)
    assert top == pytest.approx(box.top + box.height * (high - 10) / (high - low), abs=0.1)


@pytest.mark.parametrize("form", Form)
def test_the_same_chart_gives_the_same_bytes(form: Form) -> None:
    shown = chart(series("a", [1, 5, 2]), series("b", [3, 1]), look=Look(form))
    first = Picture.of(shown).drawn()
    assert Picture.of(shown).drawn() == first
    assert Picture.of(replace(shown, title="Other")).drawn() != first


def test_another_process_gives_the_same_bytes() -> None:
    """So gateways that share a cache agree, and the tag of an answer stays over a restart. This one has no home."""
    script = (
        "from tests.unit.pictures.charts import chart, series\nfrom service.pictures.picture import Picture\n"
        "import sys\nsys.stdout.buffer.write(Picture.of(chart(series('a', [1, 5, 2]), series('b', [3]))).drawn())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ".:client", "SOURCE_DATE_EPOCH": "0", "HOME": "/dev/null"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == Picture.of(chart(series("a", [1, 5, 2]), series("b", [3]))).drawn()
    assert done.stderr == b""


def test_threads_draw_what_one_draws() -> None:
    charts = [chart(series(f"f{number}", [number, 2, number])) for number in range(8)]
    alone = [Picture.of(shown).drawn() for shown in charts]
    together: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda at=at: together.update({at: Picture.of(charts[at]).drawn()}))
        for at in range(len(charts))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [together[at] for at in range(len(charts))] == alone


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=40), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
@example(HOSTILE[:3])
@example(HOSTILE[3:6])
@example(HOSTILE[6:9])
def test_any_name_is_text(names: list[str]) -> None:
    title, label, note = names
    shown = chart(series("a", [1, 2]), title=title, labels=(label,), unit=label, notes=(note,), subtitle=note)
    root = svg(shown)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "defs", "style", "g", "path", "text", "use"}
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert not name.endswith("href") or value.startswith("#")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_drawn_in_both_forms(name: str) -> None:
    shown = chart(series("a", [1, 2]), title=name, labels=(name,), unit=name, notes=(name,), empty=(name,))
    assert Picture.of(shown).drawn()
    assert image(shown).size == (960, 420)


def test_no_text_refers_to_anything_outside() -> None:
    document = Picture.of(chart(series("a", [1, 2]))).drawn().decode()
    assert document.startswith('<?xml version="1.0" encoding="utf-8"?>\n<svg ')
    assert "<!DOCTYPE" not in document and "<metadata" not in document
    addresses = {part.split('"')[0] for part in document.split('="http')[1:]}
    assert addresses == {"://www.w3.org/2000/svg", "://www.w3.org/1999/xlink"}


def test_names_are_not_mathematics() -> None:
    assert "$x^2$" in texts(chart(series("a", [1]), title="$x^2$"))


def test_a_long_title_is_cut_to_the_picture() -> None:
    title = max(texts(chart(series("a", [1]), title="word " * 200)), key=len)
    assert title.startswith("word word") and title.endswith("…") and len(title) < 120


def pieces(shown: Chart) -> int:
    """How many pieces the first line has."""
    path = next(path for path in svg(shown).iter(f"{SVG}path") if "stroke-width: 1.4" in (path.get("style") or ""))
    return (path.get("d") or "").count("M")


def test_a_line_is_broken_in_a_gap_and_whole_elsewhere() -> None:
    assert pieces(chart(series("a", [1, 2] * 72))) == 1
    whole = series("a", [1, 2] * 72)
    rows = [*range(40), *range(100, 144)]
    assert pieces(chart(replace(whole, times=whole.times[rows], values=whole.values[rows]))) == 2


def test_a_point_alone_is_a_dot() -> None:
    def dots(shown: Chart) -> int:
        return len(list(svg(shown).iter(f"{SVG}use")))

    assert dots(chart(series("a", [5]))) == 1
    assert dots(chart(series("a", [5, 6]))) == 0


def test_an_empty_answer_is_a_picture_that_says_so() -> None:
    shown = chart(empty=("No numbers in this range", "The bucket has no points."))
    assert {"No numbers in this range", "The bucket has no points."} <= set(texts(shown))
    assert "0.4" in texts(chart(series("a", [0, 1]))) and "0.4" not in texts(shown)


def test_title_and_legend_may_be_left_out() -> None:
    shown = chart(series("a", [1, 2]), look=Look(title=False, legend=False))
    assert "Power" not in texts(shown) and "a" not in texts(shown)
    assert Picture.of(shown).box.height > Picture.of(chart(series("a", [1, 2]))).box.height


@pytest.mark.parametrize("count", [0, 1, 7, 50])
@pytest.mark.parametrize("size", [(WIDTHS[0], HEIGHTS[0]), (960, 420), (WIDTHS[-1], HEIGHTS[-1])])
def test_everything_has_its_place_in_any_size(count: int, size: tuple[int, int]) -> None:
    look = Look(width=size[0], height=size[1])
    lines = [series(f"a rather long name of a field {number}", [1, 2]) for number in range(count)]
    picture = Picture.of(chart(*lines, look=look, notes=("a" * 1000, "b", "c")))
    placement = picture.placed.placement
    assert placement.box.left == LEFT and placement.box.width == look.plot_width
    assert placement.box.height >= 20
    tops = [entry.top for entry in (*placement.entries, *placement.notes)]
    assert all(placement.box.top + placement.box.height < top <= look.height for top in tops)
    named = len(placement.entries)
    assert named == count or (placement.more is not None and placement.more.text == f"+ {count - named} more")


@pytest.mark.parametrize("length_ns", [200, 10**7, 3 * 10**9, 60 * 10**9, 86_400 * 10**9, 400 * 86_400 * 10**9])
def test_labels_of_times_stand_apart_and_inside(length_ns: int) -> None:
    shown = chart(look=Look(width=900), span=TimeRange(DAY.start_ns - length_ns // 7, DAY.start_ns + length_ns))
    texts_by_top: dict[str, list[tuple[float, float]]] = {}
    for element in svg(shown).iter(f"{SVG}text"):
        if "middle" in (element.get("style") or ""):
            half, middle = width_px(element.text or "", 11.5) / 2, float(element.get("x") or 0)
            texts_by_top.setdefault(element.get("y") or "", []).append((middle - half, middle + half))
    assert len(texts_by_top) >= 1
    for spans in texts_by_top.values():
        assert spans[0][0] >= 0 and spans[-1][1] <= 900
        assert all(stop < start for (_, stop), (start, _) in pairwise(spans))


def test_fifty_lines_are_told_apart() -> None:
    for theme in Theme:
        strokes = [stroke(COLOURS[theme], number) for number in range(50)]
        assert len({str(each) for each in strokes}) == 50


def test_every_line_stands_out_from_its_ground() -> None:
    """3:1 is what WCAG 2.2 wants of graphics (1.4.11), and 4.5:1 of texts (1.4.3)."""
    for colours in COLOURS.values():
        for line in colours.lines:
            assert contrast(line, colours.ground) >= 3, line
        for text in (colours.text, colours.muted, colours.warning):
            assert contrast(text, colours.ground) >= 4.5, text


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_thinned_out_line_is_drawn_like_one_of_all_points() -> None:
    """Where one picture has a line, the other has one at the same pixel or the next, as edges are smoothed."""
    generator = np.random.default_rng(5)
    values = np.cumsum(generator.normal(size=50_000))
    values[31_000] = 900.0
    times = np.sort(generator.integers(0, 86_400 * 10**9, size=50_000))
    whole = replace(series("a", [0.0]), times=times + DAY.start_ns, values=values)
    shown = chart(whole)
    kept = visible_points(PixelColumns(DAY, shown.look.plot_width).columns(whole.times), values)
    thin = replace(whole, times=whole.times[kept], values=values[kept])
    first, second = (inked(replace(shown, series=(line,))) for line in (whole, thin))
    assert not (first & ~widened(second)).any()
    assert not (second & ~widened(first)).any()
    assert len(kept) <= 4 * shown.look.plot_width


def inked(shown: Chart) -> Pixels:
    """The pixels that a line covers by a third at least."""
    return np.asarray(image(shown).convert("L")) < 200


def widened(pixels: Pixels) -> Pixels:
    """The pixels and their neighbours."""
    wide = pixels.copy()
    for axis in (0, 1):
        wide = wide | np.roll(wide, 1, axis) | np.roll(wide, -1, axis)
    return wide


def test_a_png_that_would_take_too_long_to_draw_is_refused_and_an_svg_of_it_is_not() -> None:
    up_and_down = [float(number % 2) for number in range(20_000)]
    lines = [series(f"f{number}", up_and_down, every_s=4) for number in range(3)]
    large = chart(*lines, look=Look(Form.PNG, 3840, 2160))
    with pytest.raises(InvalidParameter, match=r"of the 3 series .* pixels long, and a PNG draws 60\. .*format=svg"):
        Picture.of(large).drawn()
    assert Picture.of(replace(large, look=replace(large.look, form=Form.SVG))).drawn()
    assert Picture.of(replace(large, look=Look(Form.PNG))).drawn()
