"""Reads as pictures, without HTTP: any rows make one, and it says what it leaves out."""

import threading
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cache.cancel_token import CancelToken
from service.domain.schema import FieldType
from service.domain.selection import Fn, Windows
from service.domain.timerange import EVER, TimeRange
from service.errors import InvalidParameter, StoreBroken
from service.pictures import library
from service.pictures.facts import PictureFacts
from service.pictures.look import Form, Look
from service.reads.drawing import Drawing
from service.reads.facts import NameList, ReadFacts
from service.reads.pictures import picture_of
from service.reads.question import BY_WIDTH, AskedRead, Between, LastWindow
from tests.support.sample_blocks import Row, block_of, hostile_rows
from tests.unit.reads.conftest import LIMITS, NOW_NS, Reader, body

pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
HOUR_NS = 3600 * 10**9


def drawn(rows: list[Row], asked: AskedRead, facts: ReadFacts | None = None) -> tuple[bytes, ReadFacts, list[float]]:
    question = asked.at(NOW_NS, LIMITS.max_windows)
    texts = (facts or ReadFacts(question.selection.span, "embedded")).texts()
    seconds: list[float] = []
    assert question.picture is not None
    blocks, drawing = [block_of(rows)] if rows else [], Drawing(lambda: None)
    document = b"".join(picture_of(blocks, question, question.picture, texts, seconds.append, drawing))
    return document, ReadFacts.from_texts(texts), seconds


@given(hostile_rows(), st.sampled_from(["UTC", "America/St_Johns"]))
@settings(max_examples=25, deadline=None)
def test_any_rows_make_a_picture(rows: list[Row], zone: str) -> None:
    asked = AskedRead("a<b>&\x00", Between(EVER.start_ns, EVER.stop_ns), zone=zone, picture=Look(width=300, height=200))
    document, facts, _ = drawn(rows, asked)
    ET.fromstring(document)
    numbers = {(row.measurement, row.tags, row.field) for row in rows if row.type.numeric}
    assert facts.picture is not None and facts.picture.series == len(numbers)


def test_the_facts_say_where_the_plot_is_and_how_much_is_drawn() -> None:
    rows = [Row(NOW_NS - 2, 5.0), Row(NOW_NS - 1, float("nan")), Row(NOW_NS - 2, "on", "mode", type=FieldType.STRING)]
    _, facts, seconds = drawn(rows, AskedRead("b", LastWindow(HOUR_NS), picture=Look()))
    assert facts.picture == PictureFacts(64, 68, 872, 268, 4.75, 5.25, 1, 1, 1)
    assert len(seconds) == 1


def test_what_facts_say_is_said_in_the_picture() -> None:
    asked = AskedRead("b", LastWindow(HOUR_NS), picture=Look())
    known = ReadFacts(TimeRange(1, 2), "influx", skipped=NameList.of([("m", "mode")]), newest="2026-01-01T00:00:00Z")
    document, _, _ = drawn([], asked, known)
    assert b"Not drawn, as they hold no numbers: m.mode." in document
    assert b"The newest point of the bucket is at 1 Jan 2026 00:00:00." in document
    silent, _, _ = drawn([], asked, ReadFacts(TimeRange(1, 2), "influx", newest="unknown"))
    assert b"newest point" not in silent and b"No numbers in this range" in silent
    bare, _, _ = drawn([], asked, ReadFacts(TimeRange(1, 2), "influx", newest="none"))
    assert b"The bucket has no points." in bare


def test_each_column_of_pixels_is_a_window() -> None:
    look = Look(width=388, height=200)
    question = AskedRead("b", LastWindow(HOUR_NS), BY_WIDTH, picture=look).at(NOW_NS, LIMITS.max_windows)
    assert question.selection.windows == Windows(12_041_000_000, Fn.M4)
    assert question.selection.span.length_ns == look.plot_width * 12_041_000_000
    assert question.layout.span == TimeRange(NOW_NS - HOUR_NS, NOW_NS)
    few = AskedRead("b", LastWindow(HOUR_NS), BY_WIDTH, picture=look).at(NOW_NS, 20)
    assert few.selection.span.length_ns // few.selection.windows.every_ns == 20  # type: ignore[union-attr]


def test_looks_are_kept_apart_in_the_cache() -> None:
    looks = [Look(), Look(Form.PNG), Look(width=500), Look(legend=False)]
    keys = {AskedRead("b", LastWindow(HOUR_NS), picture=look).at(NOW_NS, 10).key for look in looks}
    assert len(keys) == 4


def test_a_picture_has_no_shape_of_rows() -> None:
    with pytest.raises(InvalidParameter, match="format=png is a picture, so limit has no meaning"):
        AskedRead("b", LastWindow(HOUR_NS), limit=5, picture=Look(Form.PNG)).at(NOW_NS, 10)


def test_a_picture_is_read_kept_and_read_again(reader: Reader) -> None:
    reader.write("Power", 'm f=1,t="x" 1767265300\nm f=3 1767265400')
    asked = AskedRead("Power", Between(NOW_NS - HOUR_NS, NOW_NS), BY_WIDTH, picture=Look())
    first = reader.read(asked)
    whole = body(first)
    again = reader.read(asked)
    assert (again.served.outcome, body(again), again.facts) == ("hit", whole, first.facts)
    assert first.facts.skipped.names == (("m", "t"),)
    assert again.facts.picture is not None and again.facts.picture.drawn == 1


class OthersDraw:
    """The lock of drawing while others draw: `awaited` when a picture waits, until `free`."""

    def __init__(self) -> None:
        self.awaited, self.free = threading.Event(), threading.Event()

    def __enter__(self) -> None:
        self.awaited.set()
        assert self.free.wait(30)

    def __exit__(self, *_: object) -> None:
        pass


def test_a_picture_that_its_reader_leaves_keeps_its_slot_until_nobody_draws_it(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked and left at once had any number of pictures under way."""
    library.load()
    others = OthersDraw()
    monkeypatch.setattr(library, "_lock", others)
    reader.write("Power", f"power,meter=a watts=1 {NOW_NS // 10**9 - 60}")
    question = AskedRead("Power", LastWindow(HOUR_NS), picture=Look()).at(NOW_NS, LIMITS.max_windows)
    client = CancelToken()

    def leave() -> None:
        assert others.awaited.wait(30)
        client.cancel()

    leaving = threading.Thread(target=leave)
    leaving.start()
    with pytest.raises(StoreBroken, match="given up"):
        reader.reads.read(question, "a", cancel_token=client)
    leaving.join(30)
    assert reader.slots.taken == 1
    others.free.set()
    reader.wait_for_the_end_of_a_read()
    assert reader.slots.taken == 0


def test_what_ends_while_it_is_drawn_ends_when_that_is_over_and_is_not_drawn_later() -> None:
    ends: list[str] = []
    drawing = Drawing(lambda: ends.append("end"))
    with drawing.under_way():
        drawing.check()
        drawing.cancel()
        assert ends == []
        with pytest.raises(StoreBroken, match="given up before it was drawn"):
            drawing.check()
    assert ends == ["end"]
    with pytest.raises(StoreBroken), drawing.under_way():
        ends.append("drawn")
    assert ends == ["end"]
