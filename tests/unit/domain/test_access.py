"""Who may do what: a principal may what its key says, and nothing else."""

import dataclasses

import pytest

from service.domain.access import Principal, Scope

READER = Principal("1a2b3c4d", "analyst", frozenset({Scope.READ}), frozenset({"Power Consumption"}))


def test_the_scopes_are_the_documented_words() -> None:
    assert [scope.value for scope in Scope] == ["read", "write", "mirror", "backup", "restore", "connector", "admin"]


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_allows_itself_alone(scope: Scope) -> None:
    principal = Principal("1", "a", frozenset({scope}))
    assert [other for other in Scope if principal.may(other)] == [scope]


def test_a_key_for_some_buckets_sees_those_by_their_exact_names() -> None:
    assert READER.may_see("Power Consumption")
    assert not any(READER.may_see(name) for name in ("power consumption", "Power Consumption ", "Power", ""))


def test_a_key_without_a_list_sees_every_bucket_and_one_with_an_empty_list_none() -> None:
    assert Principal("1", "a", frozenset()).may_see("anything")
    assert not Principal("1", "a", frozenset(), frozenset()).may_see("anything")


def test_a_principal_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        READER.name = "other"  # type: ignore[misc]
