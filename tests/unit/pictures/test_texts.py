"""Names as texts of a picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.pictures.texts import cut_to_width, printable, width_px


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Halle 3, Süd", "Halle 3, Süd"),
        ("a\nb\x00c\x1f", "a\u240ab\u2400c\u241f"),
        ("\x7f\x85", "\ufffd\ufffd"),
        ("low \udc80 half", "low \ufffd half"),
        ("x\u202egnp.exe", "x\ufffdgnp.exe"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("line\u2028line", "line\ufffdline"),
        ("שלום 😀 <b>$x^2$</b>", "שלום 😀 <b>$x^2$</b>"),
    ],
)
def test_what_cannot_be_shown_has_a_sign(name: str, shown: str) -> None:
    assert printable(name, 100) == shown


def test_a_long_name_is_cut() -> None:
    assert printable("x" * 1000, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("word " * 3, 11) == "word word…"


@given(st.text(st.characters(exclude_categories=())), st.integers(2, 40))
def test_any_text_becomes_one_that_xml_holds(text: str, most: int) -> None:
    shown = printable(text, most)
    assert len(shown) <= most
    assert all(letter >= " " and not "\ud800" <= letter <= "\udfff" for letter in shown)
    shown.encode()


@given(st.text(max_size=50), st.floats(20, 300))
def test_a_text_is_cut_to_the_room_that_there_is(text: str, width: float) -> None:
    cut = cut_to_width(text, width, 11)
    assert width_px(cut, 11) <= width or cut == "…"
    assert cut == text or cut.endswith("…")


def test_wide_letters_take_more_room() -> None:
    assert width_px("温度", 10) == 20
    assert width_px("il", 10) < width_px("ab", 10) < width_px("MW", 10)
