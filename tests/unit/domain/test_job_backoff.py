"""Whether a failed job is tried again, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import errors
from service.domain.backoff import LONGEST_WAIT_S, next_try, wait_s

NEVER = [
    errors.InvalidParameter("n", "wrong"),
    errors.UnknownBucket("b"),
    errors.PointsRefused("bad lines"),
    errors.StoreDenied("token refused"),
    errors.MirrorConflict("the field is an integer there.", "Weather"),
    errors.AddressRefused("not there"),
    errors.ConfigurationError("no url"),
    ValueError("a mistake in the code"),
]
AGAIN = [
    errors.StoreUnavailable("away"),
    errors.StoreTimeout("late"),
    errors.StoreBroken("cut"),
    errors.StoreFailed("500"),
    errors.MirrorIncomplete("points are missing"),
]


@pytest.mark.parametrize("error", NEVER, ids=lambda error: type(error).__name__)
def test_what_time_does_not_mend_is_not_tried_again(error: Exception) -> None:
    assert next_try(error, 1, None, None, 1000.0, 0.5) is None


@pytest.mark.parametrize("error", AGAIN, ids=lambda error: type(error).__name__)
def test_what_time_may_mend_is_tried_again_later_each_time(error: Exception) -> None:
    waits = [(next_try(error, attempts, None, None, 1000.0, 0.0) or 0) - 1000.0 for attempts in (1, 2, 3, 4, 100)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 150.0]


@pytest.mark.parametrize("seconds", [0.5, 17.0, 60.0, 4000.0])
def test_a_wait_that_the_other_side_named_is_kept_exactly(seconds: float) -> None:
    assert next_try(errors.StoreBusy("429", seconds), 7, None, None, 1000.0, 0.9) == 1000.0 + seconds


def test_attempts_and_deadline_end_it() -> None:
    away = errors.StoreUnavailable("away")
    assert next_try(away, 2, 3, None, 1000.0, 0.0) == 1002.0
    assert next_try(away, 3, 3, None, 1000.0, 0.0) is None
    assert next_try(away, 2, 3, 1002.5, 1000.0, 0.0) == 1002.0
    assert next_try(away, 2, 3, 1002.0, 1000.0, 0.0) is None
    assert next_try(errors.StoreBusy("429", 60), 1, None, 1059.0, 1000.0, 0.0) is None


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_spread_and_has_a_limit(attempts: int, chance: float) -> None:
    assert 1.0 <= wait_s(attempts, chance) <= LONGEST_WAIT_S


def test_chance_spreads_a_wait_from_half_of_it_to_all_of_it() -> None:
    assert [wait_s(3, chance) for chance in (0.0, 0.25, 0.5, 1.0)] == [4.0, 5.0, 6.0, 8.0]
    assert [wait_s(attempts, 1.0) for attempts in (0, 1, 2, 8, 9, 10)] == [2.0, 2.0, 4.0, 256.0, 300.0, 300.0]
