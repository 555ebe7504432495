"""Lists of single errors are read as they are configured; what names nothing is refused."""

from typing import Any

import pytest

from service.domain.item_errors import ItemError, ItemRule, WrongItems, item_errors
from service.domain.json_pointer import JsonPointer, parse_pointer


def pointer(text: str) -> JsonPointer:
    return parse_pointer(text, "p")


BY_INDEX = ItemRule(pointer("/errors"), index=pointer("/at"), reason=pointer("/why/0"))
BY_SENSOR = ItemRule(pointer(""), sensor=pointer("/name"), timestamp=pointer("/time"))


def test_items_by_index() -> None:
    document = {"errors": [{"at": 0, "why": ["bad"]}, {"at": 7}]}
    assert item_errors(BY_INDEX, document) == [ItemError(0, None, None, "bad"), ItemError(7, None, None, "")]


def test_items_counted_from_1() -> None:
    rule = ItemRule(pointer("/errors"), index=pointer("/at"), first=1)
    assert item_errors(rule, {"errors": [{"at": 1}]})[0].index == 0
    with pytest.raises(WrongItems):
        item_errors(rule, {"errors": [{"at": 0}]})


def test_items_by_sensor_and_time() -> None:
    document = [{"name": "a", "time": "2026-01-01T00:00:00Z"}, {"name": "b", "time": 5}]
    assert [(error.sensor, error.timestamp) for error in item_errors(BY_SENSOR, document)] == [
        ("a", "2026-01-01T00:00:00Z"),
        ("b", 5),
    ]


@pytest.mark.parametrize("document", [{}, {"errors": []}, {"errors": None}, {"errors": False}, [], 5, "text", None])
def test_an_answer_without_a_list_has_no_errors(document: Any) -> None:
    assert item_errors(BY_INDEX, document) == []


@pytest.mark.parametrize(
    ("rule", "document"),
    [
        (BY_INDEX, {"errors": {"at": 1}}),
        (BY_INDEX, {"errors": "all of them"}),
        (BY_INDEX, {"errors": ["x"]}),
        (BY_INDEX, {"errors": [{"at": -1}]}),
        (BY_INDEX, {"errors": [{"at": True}]}),
        (BY_INDEX, {"errors": [{"at": "1"}]}),
        (BY_SENSOR, [{"name": 5, "time": 1}]),
        (BY_SENSOR, [{"name": "a"}]),
        (BY_SENSOR, [{"name": "a", "time": True}]),
    ],
)
def test_what_names_no_item_is_refused(rule: ItemRule, document: Any) -> None:
    with pytest.raises(WrongItems):
        item_errors(rule, document)


def test_a_reason_is_bounded() -> None:
    rule = ItemRule(pointer("/errors"), index=pointer("/at"), reason=pointer("/why"))
    assert len(item_errors(rule, {"errors": [{"at": 1, "why": "x" * 10_000}]})[0].reason) == 300
