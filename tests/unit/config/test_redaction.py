"""Secrets in runtime configuration: never shown, and kept when what was shown is sent back for the same address."""

from typing import Any

import pytest

from service.config.redaction import HIDDEN, hide, restore_hidden
from service.errors import InvalidParameter

A = {"url": "http://a.test", "org": "o", "token": "secret-a"}


@pytest.mark.parametrize("name", ["token", "password", "api_key", "client_secret"])
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
    "stored",
    [{"m": {"source": A, "target": "store"}}, {"m": {"targets": [A, {**A, "token": "other"}]}}, {"token": None}, {}],
)
def test_what_was_shown_can_be_sent_back(stored: Any) -> None:
    assert restore_hidden(hide(stored), stored) == stored


def test_a_new_secret_takes_the_place_of_the_old_one() -> None:
    assert restore_hidden({"source": {**A, "token": "new"}}, {"source": A}) == {"source": {**A, "token": "new"}}


B = {"url": "http://b.test", "org": "o", "token": "secret-b"}
STORED = {"m": {"source": A, "target": B, "more": [A, B]}}


def hidden(side: dict[str, str], **changed: Any) -> dict[str, Any]:
    return {**side, "token": HIDDEN, **changed}


ATTACKS: list[tuple[str, Any]] = [
    ("another address", {"m": {"source": hidden(A, url="http://evil.test")}}),
    ("another address that looks alike", {"m": {"source": hidden(A, url="HTTP://a.test")}}),
    ("an address with a path", {"m": {"source": hidden(A, url="http://a.test/")}}),
    ("another organization", {"m": {"source": hidden(A, org="other")}}),
    ("no organization", {"m": {"source": {"url": A["url"], "token": HIDDEN}}}),
    ("no address", {"m": {"source": {"org": "o", "token": HIDDEN}}}),
    ("the address one level up", {"m": {"source": {"url": A["url"], "org": "o", "auth": {"token": HIDDEN}}}}),
    ("the sides swapped", {"m": {"source": hidden(B), "target": hidden(A)}}),
    ("only one side moved", {"m": {"source": hidden(B)}}),
    ("a new name", {"n": {"source": hidden(A)}}),
    ("a list in another order", {"m": {"more": [hidden(B), hidden(A)]}}),
    ("a longer list", {"m": {"more": [hidden(A), hidden(B), hidden(A)]}}),
    ("a list instead of a side", {"m": {"source": [hidden(A)]}}),
    ("a number as place", {"m": {"more": {"0": hidden(A)}}}),
    ("another secret's name", {"m": {"source": {"url": A["url"], "org": "o", "password": HIDDEN}}}),
    ("an address that is no text", {"m": {"source": {"url": None, "org": None, "token": HIDDEN}}}),
]


@pytest.mark.parametrize("sent", [one[1] for one in ATTACKS], ids=[one[0] for one in ATTACKS])
def test_a_secret_is_kept_only_at_its_place_beside_its_address(sent: Any) -> None:
    """Else whoever may change an address could have the token sent there; and stars were stored as a token."""
    with pytest.raises(
        InvalidParameter,
        match=r"\*\*\* stands for the (token|password) that is stored there .* Write the (token|password)",
    ) as refused:
        restore_hidden(sent, STORED)
    assert "secret-" not in refused.value.message


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        {"source": None},
        {"source": "store"},
        {"source": [A]},
        {"other": A},
        {"source": {"url": "http://a.test", "org": "o"}},
    ],
)
def test_stars_are_refused_when_nothing_is_stored_for_them(stored: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"source\.token: \*\*\*"):
        restore_hidden({"source": hidden(A)}, stored)


def test_a_secret_stored_beside_no_address_has_to_be_written_again() -> None:
    with pytest.raises(InvalidParameter, match=r"^token: "):
        restore_hidden({"token": HIDDEN}, {"token": "plain"})


def test_stars_in_another_member_are_only_text() -> None:
    assert restore_hidden({"url": "http://a.test", "org": HIDDEN}, {"url": "http://a.test", "org": "o"}) == {
        "url": "http://a.test",
        "org": HIDDEN,
    }


def test_other_members_may_change_beside_a_secret() -> None:
    assert restore_hidden({"m": {"source": hidden(A, size=5)}}, {"m": {"source": A}}) == {
        "m": {"source": {**A, "size": 5}}
    }


def test_what_is_nested_without_end_is_refused() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"a": deep}
    with pytest.raises(InvalidParameter, match="a is nested deeper than 50 levels"):
        restore_hidden(deep, {})


UPSTREAM = {
    "url": "https://api.test/points",
    "auth": {"kind": "oauth2", "url": "https://login.test/token", "client_id": "c", "client_secret": "s"},
    "client_certificate": {"cert_file": "c.pem", "key_file": "k.pem", "password": "p"},
}
SHOWN = hide({"plant": {"upstream": UPSTREAM}})


def test_a_secret_inside_belongs_to_the_addresses_around_it() -> None:
    assert SHOWN["plant"]["upstream"]["auth"]["client_secret"] == HIDDEN
    assert restore_hidden(SHOWN, {"plant": {"upstream": UPSTREAM}}) == {"plant": {"upstream": UPSTREAM}}


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "https://evil.test/points"},
        {"auth": {**SHOWN["plant"]["upstream"]["auth"], "url": "https://evil.test/token"}},
        {"auth": {"kind": "oauth2", "client_id": "c", "client_secret": HIDDEN}},
        {"url": None},
    ],
)
def test_a_secret_inside_goes_to_no_other_address(changed: Any) -> None:
    with pytest.raises(InvalidParameter):
        restore_hidden(
            {"plant": {"upstream": {**SHOWN["plant"]["upstream"], **changed}}}, {"plant": {"upstream": UPSTREAM}}
        )
