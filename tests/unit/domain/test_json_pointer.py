"""JSON pointers as RFC 6901 has them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.json_pointer import MISSING, JsonPointer, parse_pointer
from service.errors import InvalidParameter

RFC = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/foo/2", MISSING),
        ("/foo/01", MISSING),
        ("/foo/-", MISSING),
        ("/foo/0/0", MISSING),
        ("/nothing/at/all", MISSING),
    ],
)
def test_the_examples_of_the_rfc_and_what_is_not_there(text: str, value: Any) -> None:
    assert parse_pointer(text, "p").find(RFC) == value


@pytest.mark.parametrize("text", ["foo", "#/foo", "/~", "/~2", "/a~", "/x" * 51])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_pointer(text, "accept.pointer")


@given(st.lists(st.text(max_size=5), max_size=5))
def test_a_pointer_is_written_as_it_is_read(tokens: list[str]) -> None:
    assert parse_pointer(str(JsonPointer(tuple(tokens))), "p") == JsonPointer(tuple(tokens))
