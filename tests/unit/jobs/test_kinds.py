"""What a kind of job is: it cannot be built so that nobody sees its jobs, or so that it hides what users wrote."""

import pytest

from service.domain.access import Principal, Scope
from service.domain.schedule import Schedule
from service.errors import InvalidParameter
from service.jobs import JobKind, Kinds
from tests.support.census import Census
from tests.support.jobs import Counting

COUNT = JobKind("count", Scope.BACKUP, Counting())


def scheduled(name: str, kind: str = "count") -> JobKind:
    made = {name: Schedule(name, kind, {"n": 1}, every="01:00:00")}
    return JobKind("count", Scope.BACKUP, Counting(), schedules=lambda: made)


def test_a_kind_needs_a_scope_with_which_jobs_are_seen() -> None:
    with pytest.raises(ValueError, match="A kind needs one of mirror, backup, restore, connector, admin"):
        JobKind("count", Scope.READ, Counting())


def test_two_kinds_have_two_names() -> None:
    with pytest.raises(ValueError, match="two kinds of job 'count'"):
        Kinds([COUNT, JobKind("count", Scope.MIRROR, Counting())])


def test_an_unknown_kind_is_named_with_those_that_are() -> None:
    with pytest.raises(InvalidParameter, match=r"no kind of job 'cuont'. There are: count\."):
        Kinds([COUNT]).get("cuont")


def test_what_runs_a_kind_is_given_as_the_type_that_its_package_knows() -> None:
    assert Kinds([COUNT]).runnable("count", Counting) is COUNT.runnable
    with pytest.raises(TypeError, match="run by a Counting, not a Census"):
        Kinds([COUNT]).runnable("count", Census)


def test_a_key_sees_the_kinds_of_its_scopes_and_with_admin_all() -> None:
    kinds = Kinds([COUNT, JobKind("copy", Scope.MIRROR, Counting())])
    seen = {
        scope: kinds.of(Principal("id", "name", frozenset({scope}), None))
        for scope in (Scope.MIRROR, Scope.ADMIN, Scope.READ)
    }
    assert seen == {Scope.MIRROR: ["copy"], Scope.ADMIN: ["copy", "count"], Scope.READ: []}


def test_schedules_that_a_kind_makes_begin_with_its_name() -> None:
    assert list(Kinds([COUNT, JobKind("copy", Scope.MIRROR, Counting())]).schedules()) == []
    assert list(Kinds([scheduled("count plants")]).schedules()) == ["count plants"]


@pytest.mark.parametrize(
    ("name", "kind"), [("plants at night", "count"), ("counted", "count"), ("count plants", "mirror")]
)
def test_a_kind_neither_hides_a_users_schedule_nor_makes_one_for_another_kind(name: str, kind: str) -> None:
    with pytest.raises(RuntimeError, match="names begin with 'count '"):
        Kinds([scheduled(name, kind)]).schedules()
