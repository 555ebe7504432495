"""Who may do what: a principal may what its key says, and nothing else."""

import dataclasses

import pytest

from service.domain.access import Principal, Scope, beyond_buckets

READER = Principal("1a2b3c4d", "analyst", frozenset({Scope.READ}), frozenset({"Power Consumption"}))


def test_the_scopes_are_the_documented_words() -> None:
    assert [scope.value for scope in Scope] == ["read", "write", "mirror", "backup", "restore", "connector", "admin"]


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_allows_itself_alone(scope: Scope) -> None:
    principal = Principal("1", "a", frozenset({scope}))
    assert [other for other in Scope if principal.may(other)] == [scope]


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_for_some_buckets_may_read_and_write_whatever_its_scopes_say(scope: Scope) -> None:
    principal = Principal("1", "a", frozenset(Scope), frozenset({"Power Consumption"}))
    assert principal.may(scope) == (scope.value in ("read", "write"))
    assert not Principal("1", "a", frozenset({Scope.ADMIN}), frozenset()).may(scope)


def test_the_scopes_that_reach_past_buckets_are_told_in_order() -> None:
    assert beyond_buckets([Scope.READ, Scope.MIRROR, Scope.ADMIN, Scope.MIRROR]) == [Scope.ADMIN, Scope.MIRROR]
    assert beyond_buckets([Scope.WRITE]) == []


def test_a_key_for_some_buckets_sees_those_by_their_exact_names() -> None:
    assert READER.may_see("Power Consumption")
    assert not any(READER.may_see(name) for name in ("power consumption", "Power Consumption ", "Power", ""))


def test_a_key_without_a_list_sees_every_bucket_and_one_with_an_empty_list_none() -> None:
    assert Principal("1", "a", frozenset()).may_see("anything")
    assert not Principal("1", "a", frozenset(), frozenset()).may_see("anything")


def test_a_principal_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        READER.name = "other"  # type: ignore[misc]
