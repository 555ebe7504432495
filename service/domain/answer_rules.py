"""Decides what an answer of an upstream means for the values that were posted: accepted, refused, later or never."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.item_errors import ItemRule
from service.domain.json_pointer import JsonPointer

Statuses = frozenset[int]
ACCEPTED_STATUSES: Statuses = frozenset({200, 201, 202, 204})
LATER_STATUSES: Statuses = frozenset({408, 425, 429})
"""Nothing is wrong with what was posted, and it was not looked at (RFC 9110, 6585 and 8470)."""
RETRIED_STATUSES: Statuses = LATER_STATUSES | {500, 502, 503, 504}
STOPPED_STATUSES: Statuses = frozenset({401, 403, 404, 405})
DROPPED_STATUSES: Statuses = frozenset({400, 422})
_TOO_LARGE = 413
_UNAUTHORIZED = 401
Scalar = str | int | float | bool | None


class Verdict(StrEnum):
    """What happens to the values of a post.

    `accepted`: the upstream has them. `retry`: they are posted again later. `refused`: one of them is wrong, so they
    are posted in halves. `too_large`: likewise, without one that is wrong. `denied`: the credentials are refused.
    `stopped`: a human has to act.
    """

    ACCEPTED = "accepted"
    RETRY = "retry"
    REFUSED = "refused"
    TOO_LARGE = "too_large"
    DENIED = "denied"
    STOPPED = "stopped"


class Unparsed:
    """The document of an answer that is no JSON, or whose end is missing."""


UNPARSED = Unparsed()


@dataclass(frozen=True)
class Accepted:
    """What an answer to accepted values looks like.

    `statuses`: those that it has. `pointer` and `expected`: a value that its document holds; None: any document.
    `otherwise`: the verdict where the document holds another value.
    """

    statuses: Statuses = ACCEPTED_STATUSES
    pointer: JsonPointer | None = None
    expected: Scalar = None
    otherwise: Verdict = Verdict.REFUSED


@dataclass(frozen=True)
class AnswerRules:
    """The rules of one upstream. `items`: where its answers name single wrong values.

    `busy_text`: a text in an answer that is not accepted, which means "later" whatever the status says.
    """

    accept: Accepted = Accepted()
    items: ItemRule | None = None
    retry_on: Statuses = RETRIED_STATUSES
    drop_on: Statuses = DROPPED_STATUSES
    stop_on: Statuses = STOPPED_STATUSES
    busy_text: str | None = None

    @property
    def reads_documents(self) -> bool:
        """Whether the verdict on an accepted status depends on the document."""
        return self.accept.pointer is not None or self.items is not None


@dataclass(frozen=True)
class Decision:
    """A verdict, and what was seen as the end of a sentence about the upstream ("answered 503")."""

    verdict: Verdict
    finding: str


def decide(rules: AnswerRules, status: int, text: str, document: object) -> Decision:
    """The verdict on an answer. `text`: the beginning of its body; `document`: the parsed body, or UNPARSED.

    Redirects always stop: where they lead was never checked. A status in no rule is tried again from 500 on, and
    stops below.
    """
    if 300 <= status < 400:
        return Decision(Verdict.STOPPED, f"answered {status}, a redirect, which is never followed")
    decision = _of_status(rules, status, document)
    is_busy = rules.busy_text is not None and rules.busy_text in text
    if is_busy and decision.verdict is not Verdict.ACCEPTED:
        return Decision(Verdict.RETRY, f"answered {status} with the text that means it is busy")
    return decision


def _of_status(rules: AnswerRules, status: int, document: object) -> Decision:
    answered = f"answered {status}"
    if status in rules.accept.statuses:
        return _of_document(rules, status, document)
    if status in rules.stop_on:
        return Decision(Verdict.DENIED if status == _UNAUTHORIZED else Verdict.STOPPED, answered)
    if status in rules.retry_on:
        return Decision(Verdict.RETRY, answered)
    if status in rules.drop_on:
        return Decision(Verdict.REFUSED, answered)
    if status == _TOO_LARGE:
        return Decision(Verdict.TOO_LARGE, answered)
    verdict = Verdict.RETRY if status >= 500 else Verdict.STOPPED
    return Decision(verdict, f"{answered}, a status that no rule of the connector names")


def _of_document(rules: AnswerRules, status: int, document: object) -> Decision:
    answered = f"answered {status}"
    if not rules.reads_documents:
        return Decision(Verdict.ACCEPTED, answered)
    if document is UNPARSED:
        return Decision(Verdict.RETRY, f"{answered} without the JSON document that accept needs")
    if rules.accept.pointer is None:
        return Decision(Verdict.ACCEPTED, answered)
    value = rules.accept.pointer.find(document)
    if _is_same(value, rules.accept.expected):
        return Decision(Verdict.ACCEPTED, answered)
    shown = f"a value of type {type(value).__name__}" if isinstance(value, (str, Mapping, Sequence)) else repr(value)
    return Decision(rules.accept.otherwise, f"{answered} with {shown} at {rules.accept.pointer} of its document")


def _is_same(value: object, expected: Scalar) -> bool:
    """Equality of JSON values: `true` is not 1."""
    return isinstance(value, bool) == isinstance(expected, bool) and value == expected
