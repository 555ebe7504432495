"""Members of a JSON object are taken once, by their type, and nothing is left over."""

from collections.abc import Callable

import pytest

from service.archive.json_members import Members, WrongMember
from service.domain.timerange import EARLIEST_NS, TimeRange

DOCUMENT = {
    "text": "ä",
    "flag": False,
    "number": 7,
    "span": {"start_ns": 1, "stop_ns": 2},
    "nothing": None,
    "texts": ["a", "b"],
    "spans": [{"start_ns": 1, "stop_ns": 2}],
    "pairs": {"b": "2", "a": "1"},
}


def test_every_type_is_read() -> None:
    with Members(DOCUMENT, "d") as members:
        assert members.text("text") == "ä"
        assert members.flag("flag") is False
        assert members.number("number", 7) == 7
        assert members.span("span") == TimeRange(1, 2)
        assert members.optional_span("nothing") is None
        assert members.texts("texts") == ("a", "b")
        assert members.spans("spans") == (TimeRange(1, 2),)
        assert members.text_pairs("pairs") == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (lambda members: members.text("none"), "d.none is missing"),
        (lambda members: members.text("number"), "d.number is no text"),
        (lambda members: members.flag("number"), "d.number is neither true nor false"),
        (lambda members: members.number("flag"), "d.flag is no whole number"),
        (lambda members: members.number("text"), "d.text is no whole number"),
        (lambda members: members.number("number", 8), "d.number is no whole number from 8 up"),
        (lambda members: members.span("nothing"), "d.nothing is no object"),
        (lambda members: members.optional_span("texts"), "d.texts is no object"),
        (lambda members: members.texts("spans"), r"d.spans\[0\] is no text"),
        (lambda members: members.texts("text"), "d.text is no list"),
        (lambda members: members.spans("texts"), r"d.texts\[0\] is no object"),
        (lambda members: members.text_pairs("texts"), "d.texts is no object"),
        (lambda members: members.text_pairs("span"), "d.span.start_ns is no text"),
    ],
)
def test_another_type_is_refused_at_its_place(read: Callable[[Members], object], reason: str) -> None:
    with pytest.raises(WrongMember, match=reason):
        read(Members(DOCUMENT, "d"))


def test_what_is_left_over_is_refused_unless_something_else_went_wrong() -> None:
    with pytest.raises(WrongMember, match="d has a member 'text' that is not known"), Members({"text": ""}, "d"):
        pass
    with pytest.raises(ZeroDivisionError), Members({"text": ""}, "d"):
        raise ZeroDivisionError


def test_a_member_is_taken_once() -> None:
    members = Members({"text": ""}, "d")
    members.text("text")
    with pytest.raises(WrongMember, match=r"d\.text is missing"):
        members.text("text")


@pytest.mark.parametrize("value", [None, 7, "x", [], True])
def test_only_an_object_has_members(value: object) -> None:
    with pytest.raises(WrongMember, match="d is no object"):
        Members(value, "d")


@pytest.mark.parametrize("edges", [(5, 5), (6, 5), (EARLIEST_NS - 1, 5)])
def test_a_range_is_one_that_a_store_can_hold(edges: tuple[int, int]) -> None:
    document = {"range": {"start_ns": edges[0], "stop_ns": edges[1]}}
    with pytest.raises(WrongMember, match=r"d\.range is no range of time"):
        Members(document, "d").span("range")
