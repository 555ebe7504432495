"""Which backups are kept: by rules, by what depends on them, and never fewer because of a forgery or a damage."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.archive.backup_ids import backup_id
from service.archive.catalog import ListedState
from service.archive.retention import MOST_AHEAD_NS, Candidate, Keep, Verdict, verdicts
from service.domain.durations import DAY_NS
from service.domain.timerange import parse_time

COMPLETE, PARTIAL, FAILED = ListedState.COMPLETE, ListedState.PARTIAL, ListedState.FAILED
UNFINISHED, DAMAGED = ListedState.UNFINISHED, ListedState.DAMAGED
NOW = parse_time("2026-03-01T00:00:00Z", "now")


def name(sequence: int) -> str:
    return backup_id(sequence, 0)


def candidate(sequence: int, created: str | int = NOW, state: ListedState = COMPLETE, **others: object) -> Candidate:
    created_ns = parse_time(created, "created") if isinstance(created, str) else created
    return Candidate(name(sequence), sequence, created_ns, state, **others)  # type: ignore[arg-type]


def nightly(count: int, first: str = "2026-01-01T23:59:00Z") -> list[Candidate]:
    start_ns = parse_time(first, "first")
    return [candidate(number + 1, start_ns + number * DAY_NS) for number in range(count)]


def kept(candidates: list[Candidate], keep: Keep, now_ns: int = NOW, zone: dt.tzinfo = dt.UTC) -> list[int]:
    return [int(verdict.backup_id[:8]) for verdict in verdicts(candidates, keep, now_ns, zone) if verdict.keep]


def reasons(candidates: list[Candidate], keep: Keep) -> dict[int, tuple[str, ...]]:
    return {int(verdict.backup_id[:8]): verdict.reasons for verdict in verdicts(candidates, keep, NOW)}


def test_the_last_are_kept_and_every_verdict_has_its_reason() -> None:
    assert verdicts(nightly(3), Keep(last=2), NOW) == [
        Verdict(name(3), True, ("complete backup 1 of the last 2",)),
        Verdict(name(2), True, ("complete backup 2 of the last 2",)),
        Verdict(name(1), False, ("no rule keeps it",)),
    ]


def test_days_weeks_months_and_years_each_keep_their_newest() -> None:
    backups = nightly(50)  # January 1st (a Thursday) to February 19th
    assert kept(backups, Keep(daily=3)) == [50, 49, 48]
    assert kept(backups, Keep(weekly=3)) == [50, 46, 39]  # Sundays are February 15th and 8th
    assert kept(backups, Keep(monthly=2)) == [50, 31]
    assert kept(backups, Keep(monthly=9, yearly=9)) == [50, 31]
    assert kept(backups, Keep(last=1, daily=2, weekly=2, monthly=2)) == [50, 49, 46, 31]


def test_one_backup_may_be_kept_for_several_reasons() -> None:
    assert reasons(nightly(1), Keep(last=1, daily=1, yearly=1))[1] == (
        "complete backup 1 of the last 1",
        "the newest of day 1 of 1",
        "the newest of year 1 of 1",
    )


def test_several_backups_of_a_day_count_as_one_day() -> None:
    backups = [candidate(number, f"2026-01-0{1 + number // 4}T{number:02d}:00:00Z") for number in range(1, 12)]
    assert kept(backups, Keep(daily=2)) == [11, 7]


def test_days_are_those_of_the_zone() -> None:
    backups = [candidate(1, "2026-01-01T22:30:00Z"), candidate(2, "2026-01-01T23:30:00Z")]
    assert kept(backups, Keep(daily=9)) == [2]
    assert kept(backups, Keep(daily=9), zone=ZoneInfo("Europe/Berlin")) == [2, 1]


def test_order_is_that_of_numbers_also_when_the_clock_went_back() -> None:
    backups = [candidate(1, "2026-02-03T00:00:00Z"), candidate(2, "2026-02-01T00:00:00Z")]
    assert kept(backups, Keep(last=1)) == [2]
    assert kept(backups, Keep(yearly=1)) == [2]


def test_the_last_proven_backup_stays_whatever_the_rules_say() -> None:
    backups = nightly(5)
    backups[0] = candidate(1, "2026-01-01T00:00:00Z", proven=True)
    backups[1] = candidate(2, "2026-01-02T00:00:00Z", proven=True)
    assert kept(backups, Keep(last=1)) == [5, 2]
    assert reasons(backups, Keep(last=1))[2] == ("the last backup that was proven to restore",)


def test_what_a_kept_backup_refers_to_stays_and_what_that_refers_to() -> None:
    backups = [
        candidate(1),
        candidate(2, references=frozenset({name(1)})),
        candidate(3, references=frozenset({name(2), name(99)})),
        candidate(4, references=frozenset({name(3)})),
        candidate(5, references=frozenset({name(2)})),
    ]
    assert kept(backups, Keep(last=1)) == [5, 2, 1]
    assert reasons(backups, Keep(last=1))[2] == (f"files of {name(5)} lie in it",)
    assert reasons(backups, Keep(last=2))[2] == (f"files of {name(3)} lie in it", f"files of {name(5)} lie in it")


def test_a_partial_backup_never_takes_the_place_of_a_complete_one() -> None:
    backups = [
        candidate(1),
        candidate(2, state=PARTIAL),
        candidate(3),
        candidate(4, state=PARTIAL),
        candidate(5, state=PARTIAL),
    ]
    assert kept(backups, Keep(last=1)) == [5, 4, 3]
    assert kept(backups, Keep(last=2)) == [5, 4, 3, 1]
    assert reasons(backups, Keep(last=1))[2] == ("partial, and a newer backup is complete",)
    assert reasons(backups, Keep(last=1))[5] == ("partial, and no newer backup is complete",)


def test_without_a_complete_backup_nothing_that_may_help_is_removed() -> None:
    backups = [candidate(1, state=PARTIAL), candidate(2, state=FAILED), candidate(3, state=UNFINISHED)]
    assert kept(backups, Keep(last=1)) == [3, 2, 1]


def test_a_proven_partial_backup_is_not_the_last_proven_one() -> None:
    backups = [candidate(1, proven=True), candidate(2, state=PARTIAL, proven=True), candidate(3)]
    assert kept(backups, Keep(last=1)) == [3, 1]


def test_failed_and_unfinished_ones_go_when_a_newer_one_is_complete() -> None:
    backups = [candidate(1, state=FAILED), candidate(2, state=UNFINISHED), candidate(3), candidate(4, state=UNFINISHED)]
    assert kept(backups, Keep(last=1)) == [4, 3]


def test_what_a_job_uses_stays_with_what_it_refers_to() -> None:
    backups = [candidate(1), candidate(2, state=UNFINISHED, in_use=True, references=frozenset({name(1)})), candidate(3)]
    assert kept(backups, Keep(last=1)) == [3, 2, 1]
    assert reasons(backups, Keep(last=1))[2] == ("a job uses it",)


def test_damaged_ones_are_for_people_to_look_at() -> None:
    backups = [candidate(1, state=DAMAGED), candidate(2), candidate(3, state=DAMAGED)]
    assert kept(backups, Keep(last=1)) == [3, 2, 1]
    assert "remove its folder by hand" in reasons(backups, Keep(last=1))[1][0]


def test_backups_of_other_buckets_do_not_push_each_other_out() -> None:
    nights = [candidate(number, scope="all") for number in (1, 2, 3)]
    orders = [candidate(number, scope="one bucket") for number in range(4, 12)]
    assert kept([*nights, *orders], Keep(last=2)) == [11, 10, 3, 2]


def test_a_forged_backup_dated_in_the_future_makes_nothing_go() -> None:
    forged = candidate(90, "2099-01-01T00:00:00Z")
    backups = [*nightly(10), forged]
    assert kept(backups, Keep(last=1)) == [90, *range(10, 0, -1)]
    [reason] = reasons(backups, Keep(last=1))[1]
    assert reason.startswith(f"nothing is removed while {name(90)} is dated 2099-01-01T00:00:00Z, in the future: ")
    assert kept(nightly(10), Keep(last=1)) == [10]


def test_a_clock_may_differ_by_a_day() -> None:
    assert kept([candidate(1), candidate(2, NOW + MOST_AHEAD_NS)], Keep(last=1)) == [2]
    assert kept([candidate(1), candidate(2, NOW + MOST_AHEAD_NS + 1)], Keep(last=1)) == [2, 1]


@pytest.mark.parametrize("numbers", [{}, {"last": 0, "daily": 0}, {"last": -1, "daily": 3}])
def test_a_retention_that_keeps_nothing_is_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="keeps at least one backup"):
        Keep(**numbers)


def test_no_backups_have_no_verdicts() -> None:
    assert verdicts([], Keep(last=1), NOW) == []


keeps = st.builds(
    lambda *numbers: Keep(*numbers) if any(numbers) else Keep(last=1),
    *[st.integers(0, 4)] * 5,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Candidate]:
    """Backups of a place over some years, in no order, with everything that can have gone wrong."""
    count = draw(st.integers(0, 14))
    made = []
    for sequence in range(1, count + 1):
        older = draw(st.frozensets(st.integers(1, sequence), max_size=2)) - {sequence}
        made.append(
            Candidate(
                name(sequence),
                sequence,
                NOW - draw(st.integers(0, 1000)) * DAY_NS,
                draw(st.sampled_from(list(ListedState))),
                draw(st.booleans()),
                frozenset(map(name, older)),
                draw(st.sampled_from(["a", "b"])),
                draw(st.booleans()),
            )
        )
    return draw(st.permutations(made))


@settings(max_examples=300, deadline=None)
@given(histories(), keeps)
def test_whatever_happened_the_promises_hold(history: list[Candidate], keep: Keep) -> None:
    judged = verdicts(history, keep, NOW)
    stays = {verdict.backup_id for verdict in judged if verdict.keep}
    assert [verdict.backup_id for verdict in judged] == sorted((one.backup_id for one in history), reverse=True)
    assert all(verdict.reasons for verdict in judged)
    for one in history:
        if one.backup_id in stays:
            assert one.references <= stays
        if one.in_use or one.state is DAMAGED:
            assert one.backup_id in stays
    for scope in ("a", "b"):
        of_scope = sorted((one for one in history if one.scope == scope), key=lambda one: one.sequence)
        complete = [one for one in of_scope if one.state is COMPLETE]
        proven = [one for one in complete if one.proven]
        assert {one.backup_id for one in complete[-max(1, keep.last) :]} <= stays
        assert {one.backup_id for one in proven[-1:]} <= stays


@settings(max_examples=200, deadline=None)
@given(histories(), keeps)
def test_a_prune_after_a_prune_removes_nothing(history: list[Candidate], keep: Keep) -> None:
    stays = {verdict.backup_id for verdict in verdicts(history, keep, NOW) if verdict.keep}
    left = [one for one in history if one.backup_id in stays]
    assert all(verdict.keep for verdict in verdicts(left, keep, NOW))


@settings(max_examples=200, deadline=None)
@given(histories(), keeps, st.integers(0, 4))
def test_keeping_more_never_keeps_less(history: list[Candidate], keep: Keep, more: int) -> None:
    larger = Keep(keep.last + more, keep.daily + more, keep.weekly, keep.monthly, keep.yearly + more)
    stays = {verdict.backup_id for verdict in verdicts(history, keep, NOW) if verdict.keep}
    assert stays <= {verdict.backup_id for verdict in verdicts(history, larger, NOW) if verdict.keep}


@settings(max_examples=200, deadline=None)
@given(histories(), keeps, st.integers(1, 10**18))
def test_a_backup_of_the_future_removes_nothing(history: list[Candidate], keep: Keep, ahead_ns: int) -> None:
    forged = candidate(50, NOW + MOST_AHEAD_NS + ahead_ns, proven=True)
    assert all(verdict.keep for verdict in verdicts([*history, forged], keep, NOW))


@settings(max_examples=200, deadline=None)
@given(histories(), keeps, st.sampled_from([PARTIAL, FAILED, UNFINISHED, DAMAGED]))
def test_what_is_not_complete_pushes_nothing_out(history: list[Candidate], keep: Keep, state: ListedState) -> None:
    stays = {verdict.backup_id for verdict in verdicts(history, keep, NOW) if verdict.keep}
    more = [*history, candidate(50, state=state, proven=True, scope="a")]
    assert stays <= {verdict.backup_id for verdict in verdicts(more, keep, NOW) if verdict.keep}
