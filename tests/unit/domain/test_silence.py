"""Which series are silent, and which changes are noticed: each exactly once."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain.series import SeriesKey
from service.domain.silence import Change, changes, silent_series

A, B, C = SeriesKey("a"), SeriesKey("b", (("t", "1"),)), SeriesKey("c")
SERIES = st.sampled_from([A, B, C])


def test_a_series_is_silent_when_its_newest_point_is_older_than_expected() -> None:
    assert silent_series({A: 90, B: 89, C: 100}, now_ns=100, expect_ns=10) == {B: 89}


def test_what_went_silent_is_noticed_once_and_then_that_it_is_back() -> None:
    assert changes({}, {A: 80, B: 95}, 100, 10) == [Change(A, True, 80)]
    assert changes({A: 80}, {A: 80, B: 95}, 101, 10) == []
    assert changes({A: 80}, {A: 102, B: 95}, 103, 10) == [Change(A, False, 102)]


def test_a_series_that_came_and_went_between_two_looks_is_still_silent() -> None:
    assert changes({A: 80}, {A: 120}, 200, 10) == []


def test_a_series_that_is_no_longer_looked_at_is_not_back() -> None:
    assert changes({A: 80}, {}, 100, 10) == []


def test_silent_ones_come_first_and_each_in_order() -> None:
    found = changes({C: 1}, {B: 1, A: 1, C: 99}, 100, 10)
    assert found == [Change(A, True, 1), Change(B, True, 1), Change(C, False, 99)]


@given(st.lists(st.dictionaries(SERIES, st.integers(0, 100), min_size=3, max_size=3), min_size=1, max_size=8))
def test_notices_alternate_and_the_last_one_says_what_is_true(looks: list[dict[SeriesKey, int]]) -> None:
    before: dict[SeriesKey, int] = {}
    told: dict[SeriesKey, bool] = {}
    for newest in looks:
        for change in changes(before, newest, 100, 50):
            assert told.get(change.series, False) != change.is_silent
            told[change.series] = change.is_silent
        before = silent_series(newest, 100, 50)
        assert {series for series, is_silent in told.items() if is_silent} == set(before)
