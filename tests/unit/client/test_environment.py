"""The address and the key that a client takes when it is given none."""

import pytest

from fluxgate_client.connections import from_environment


def test_both_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUXGATE_URL", "https://gateway.example.org")
    monkeypatch.setenv("FLUXGATE_API_KEY", "fg_1_2_3")
    assert from_environment(None, None) == ("https://gateway.example.org", "fg_1_2_3")
    assert from_environment("http://127.0.0.1:1", "fg_4_5_6") == ("http://127.0.0.1:1", "fg_4_5_6")
    assert from_environment(None, "") == ("https://gateway.example.org", "")


def test_without_them_it_is_this_machine_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLUXGATE_URL", "FLUXGATE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert from_environment(None, None) == ("http://127.0.0.1:8000", None)
