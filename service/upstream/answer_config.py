"""What counts as accepted, and what other answers mean, as people write it in the configuration of an upstream."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from service.domain.answer_rules import (
    ACCEPTED_STATUSES,
    DROPPED_STATUSES,
    RETRIED_STATUSES,
    STOPPED_STATUSES,
    Accepted,
    AnswerRules,
    Statuses,
    Verdict,
)
from service.domain.item_errors import ItemRule
from service.domain.json_pointer import JsonPointer, parse_pointer
from service.errors import InvalidParameter


def _status(value: object) -> int | str:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599
    if isinstance(value, int) and 300 <= value < 400:
        raise ValueError("a redirect always stops, so no list names one")
    if is_number or (isinstance(value, str) and value in _RANGES):
        return cast(int | str, value)
    raise ValueError(f"write a status of 200 to 299 or 400 to 599, or one of {', '.join(_RANGES)}")


_RANGES = ("2xx", "4xx", "5xx")
StatusText = Annotated[int | str, BeforeValidator(_status)]
StatusesText = Annotated[list[StatusText], Field(max_length=100)]
PointerText = Annotated[str | None, Field(max_length=300)]
_VERDICTS = {"drop": Verdict.REFUSED, "retry": Verdict.RETRY, "stop": Verdict.STOPPED}


class ItemsText(BaseModel):
    """Where an answer lists single wrong values. `pointer` leads to the list, all others from an entry of it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    pointer: str = Field(max_length=300)
    index: PointerText = None
    sensor: PointerText = None
    timestamp: PointerText = None
    reason: PointerText = None
    first: Literal[0, 1] = 0

    @model_validator(mode="after")
    def _names_items_in_one_way(self) -> Self:
        if (self.index is None) == (self.sensor is None):
            raise ValueError("give either index, or sensor (and timestamp, where the answer has one)")
        if self.timestamp is not None and self.sensor is None:
            raise ValueError("timestamp goes with sensor, not with index")
        return self

    def to_rule(self) -> ItemRule:
        return ItemRule(
            parse_pointer(self.pointer, "accept.items.pointer"),
            _pointer(self.index, "accept.items.index"),
            _pointer(self.sensor, "accept.items.sensor"),
            _pointer(self.timestamp, "accept.items.timestamp"),
            _pointer(self.reason, "accept.items.reason"),
            self.first,
        )


def _accepted_statuses() -> list[int | str]:
    return [*sorted(ACCEPTED_STATUSES)]


class AcceptText(BaseModel):
    """The statuses of an answer that accepts, and what its document holds then.

    `otherwise`: what the same status means with another document.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    statuses: StatusesText = Field(default_factory=_accepted_statuses, min_length=1)
    pointer: PointerText = None
    equals: str | int | float | bool | None = None
    otherwise: Literal["drop", "retry", "stop"] = "drop"
    items: ItemsText | None = None

    @model_validator(mode="after")
    def _has_pointer_and_value(self) -> Self:
        if self.pointer is not None and "equals" not in self.model_fields_set:
            raise ValueError("pointer needs equals, the value that it leads to in an accepting answer")
        if self.pointer is None and self.equals is not None:
            raise ValueError("equals needs pointer, which leads to the value")
        return self

    def to_accepted(self) -> Accepted:
        pointer = _pointer(self.pointer, "accept.pointer")
        return Accepted(_statuses(self.statuses), pointer, self.equals, _VERDICTS[self.otherwise])


def answer_rules(
    accept: AcceptText,
    lists: dict[str, StatusesText | None],
    busy_text: str | None,
) -> AnswerRules:
    """The rules of these members. A list that is not written has its default, less what the other lists name.

    `lists` holds `retry_on`, `drop_on` and `stop_on`. Raises InvalidParameter: two members name one status.
    """
    written = {name: _statuses(statuses) for name, statuses in lists.items() if statuses is not None}
    accepted = accept.to_accepted()
    _refuse_overlaps({"accept.statuses": accepted.statuses, **written})
    named = accepted.statuses.union(*written.values())
    defaults = {"retry_on": RETRIED_STATUSES, "drop_on": DROPPED_STATUSES, "stop_on": STOPPED_STATUSES}
    of_list = {name: written.get(name, default - named) for name, default in defaults.items()}
    items = None if accept.items is None else accept.items.to_rule()
    return AnswerRules(accepted, items, of_list["retry_on"], of_list["drop_on"], of_list["stop_on"], busy_text)


def _refuse_overlaps(members: dict[str, Statuses]) -> None:
    owners: dict[int, str] = {}
    for member, statuses in members.items():
        for status in sorted(statuses):
            if status in owners:
                finding = f"{status} stands in {owners[status]} and in {member}."
                raise InvalidParameter(member, f"{finding} Name each status in one of them.")
            owners[status] = member


def _statuses(texts: Iterable[int | str]) -> Statuses:
    """The statuses; `5xx` stands for 500 to 599."""
    return frozenset(status for text in texts for status in _range(text))


def _range(text: int | str) -> range:
    return range(text, text + 1) if isinstance(text, int) else range(int(text[0]) * 100, int(text[0]) * 100 + 100)


def _pointer(text: str | None, member: str) -> JsonPointer | None:
    return None if text is None else parse_pointer(text, member)
