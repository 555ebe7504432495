"""Secrets in runtime configuration: never shown, and kept when what was shown is sent back for the same address."""

from typing import Any

import pytest

from service.state.hidden import HIDDEN, hide, unhide

A = {"url": "http://a.test", "org": "o", "token": "secret-a"}


@pytest.mark.parametrize("name", ["token", "password", "api_key"])
def test_a_secret_is_shown_as_stars_at_any_depth(name: str) -> None:
    assert hide({"m": [{"source": {name: "secret", "url": "u"}}]}) == {"m": [{"source": {name: "***", "url": "u"}}]}


@pytest.mark.parametrize("value", [None, 5, True, "text", [], {}, [1, "token"], {"token_env": "NAME"}, {"token": None}])
def test_everything_else_is_shown_as_it_is(value: Any) -> None:
    assert hide(value) == value


def test_hiding_leaves_what_is_stored_alone() -> None:
    stored = {"source": dict(A)}
    hide(stored)
    assert stored == {"source": A}


@pytest.mark.parametrize(
    "stored", [{"m": {"source": A, "target": "store"}}, {"m": {"targets": [A, {**A, "token": "other"}]}}, {"token": "plain"}, {}]
)
def test_what_was_shown_can_be_sent_back(stored: Any) -> None:
    assert unhide(hide(stored), stored) == stored


def test_a_new_secret_takes_the_place_of_the_old_one() -> None:
    assert unhide({"source": {**A, "token": "new"}}, {"source": A}) == {"source": {**A, "token": "new"}}


def test_a_secret_is_not_kept_for_another_address() -> None:
    """Else whoever may change an address could have the token sent there."""
    sent = {"source": {**A, "url": "http://evil.test", "token": HIDDEN}}
    assert unhide(sent, {"source": A}) == sent


@pytest.mark.parametrize(
    "stored", [None, {}, {"source": None}, {"source": "store"}, {"source": [A]}, {"other": A}, {"source": {"url": "http://a.test"}}]
)
def test_stars_stay_when_nothing_is_stored_for_them(stored: Any) -> None:
    sent = {"source": {**A, "token": HIDDEN}}
    assert unhide(sent, stored) == sent


def test_stars_in_another_member_are_only_text() -> None:
    assert unhide({"url": "http://a.test", "org": HIDDEN}, {"url": "http://a.test", "org": "o"}) == {"url": "http://a.test", "org": HIDDEN}


def test_a_longer_list_keeps_what_it_had() -> None:
    assert unhide([{**A, "token": HIDDEN}, {"token": HIDDEN}], [A]) == [A, {"token": HIDDEN}]
