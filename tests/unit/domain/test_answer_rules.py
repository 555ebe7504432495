"""What an answer means: a table of statuses, the document where accept names one, and the text that means busy."""

from typing import Any

import pytest

from service.domain.answer_rules import UNPARSED, Accepted, AnswerRules, Verdict, decide
from service.domain.item_errors import ItemRule
from service.domain.json_pointer import JsonPointer, parse_pointer

PLAIN = AnswerRules()


def verdict(rules: AnswerRules, status: int, document: object = UNPARSED, text: str = "") -> Verdict:
    return decide(rules, status, text, document).verdict


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((200, 201, 202, 204), Verdict.ACCEPTED),
        ((408, 425, 429, 500, 502, 503, 504), Verdict.RETRY),
        ((501, 505, 507, 520, 599), Verdict.RETRY),
        ((400, 422), Verdict.REFUSED),
        ((413,), Verdict.TOO_LARGE),
        ((401,), Verdict.DENIED),
        ((403, 404, 405), Verdict.STOPPED),
        ((203, 205, 206, 207, 226, 402, 406, 409, 410, 418, 451), Verdict.STOPPED),
        ((300, 301, 302, 303, 304, 307, 308), Verdict.STOPPED),
    ],
)
def test_the_default_rules(statuses: tuple[int, ...], expected: Verdict) -> None:
    assert {status: verdict(PLAIN, status) for status in statuses} == dict.fromkeys(statuses, expected)


def test_redirects_stop_whatever_the_rules_say() -> None:
    rules = AnswerRules(Accepted(frozenset({302})), retry_on=frozenset({301}), drop_on=frozenset({303}))
    assert {verdict(rules, status) for status in (301, 302, 303)} == {Verdict.STOPPED}


def test_rules_of_a_connector_are_kept() -> None:
    rules = AnswerRules(
        Accepted(frozenset({409})), None, frozenset({413}), frozenset({404}), frozenset({503}), busy_text="slow down"
    )
    statuses = (409, 413, 404, 503)
    expected = [Verdict.ACCEPTED, Verdict.RETRY, Verdict.REFUSED, Verdict.STOPPED]
    assert [verdict(rules, status) for status in statuses] == expected


@pytest.mark.parametrize("status", [400, 401, 404, 418, 500, 503])
def test_the_text_that_means_busy_outweighs_the_status(status: int) -> None:
    assert verdict(AnswerRules(busy_text="slow down"), status, text="Please slow down.") is Verdict.RETRY


def test_the_text_that_means_busy_takes_no_acceptance_back_and_follows_no_redirect() -> None:
    rules = AnswerRules(busy_text="slow down")
    assert verdict(rules, 200, text="slow down") is Verdict.ACCEPTED
    assert verdict(rules, 302, text="slow down") is Verdict.STOPPED


def pointing(pointer: str, expected: Any, otherwise: Verdict = Verdict.REFUSED) -> AnswerRules:
    return AnswerRules(Accepted(pointer=parse_pointer(pointer, "p"), expected=expected, otherwise=otherwise))


@pytest.mark.parametrize(
    ("expected", "document", "wanted"),
    [
        ("ok", {"status": "ok"}, Verdict.ACCEPTED),
        ("ok", {"status": "no"}, Verdict.REFUSED),
        ("ok", {}, Verdict.REFUSED),
        ("ok", [], Verdict.REFUSED),
        (True, {"status": True}, Verdict.ACCEPTED),
        (True, {"status": 1}, Verdict.REFUSED),
        (1, {"status": True}, Verdict.REFUSED),
        (0, {"status": False}, Verdict.REFUSED),
        (1, {"status": 1.0}, Verdict.ACCEPTED),
        (None, {"status": None}, Verdict.ACCEPTED),
        (None, {}, Verdict.REFUSED),
        ("ok", UNPARSED, Verdict.RETRY),
    ],
)
def test_the_document_decides_where_accept_names_a_value(expected: Any, document: object, wanted: Verdict) -> None:
    assert verdict(pointing("/status", expected), 200, document) is wanted


def test_another_document_means_what_the_connector_says() -> None:
    for otherwise in (Verdict.RETRY, Verdict.STOPPED):
        assert verdict(pointing("/ok", True, otherwise), 200, {"ok": False}) is otherwise


def test_a_text_of_the_upstream_is_not_repeated_in_the_finding() -> None:
    decision = decide(pointing("/status", "ok"), 200, "", {"status": "the secret"})
    assert decision.finding == "answered 200 with a value of type str at /status of its document"


def test_with_single_errors_an_accepting_answer_needs_a_document() -> None:
    rules = AnswerRules(items=ItemRule(JsonPointer(("errors",)), index=JsonPointer(("index",))))
    assert verdict(rules, 200, UNPARSED) is Verdict.RETRY
    assert verdict(rules, 200, {}) is Verdict.ACCEPTED
