"""No more values pass in a second than the rate says, after the first second's worth."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain.pacing import Pace


def test_the_first_second_is_free_and_then_the_rate_holds() -> None:
    pace = Pace(100.0)
    assert [pace.take(50, 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_more_than_the_rate_passes_at_once_and_the_next_waits_for_it() -> None:
    pace = Pace(100.0)
    assert pace.take(1_000, 0.0) == 0.0
    assert pace.take(1, 0.0) == 9.0


def test_a_long_rest_saves_up_one_second_and_no_more() -> None:
    pace = Pace(10.0)
    pace.take(1, 0.0)
    assert [pace.take(10, 1_000.0) for _ in range(3)] == [0.0, 0.0, 1.0]


def test_without_a_burst_a_rest_saves_up_nothing() -> None:
    pace = Pace(10.0, burst_s=0.0)
    assert [pace.take(10, now) for now in (0.0, 1_000.0, 1_000.0, 1_000.5)] == [0.0, 0.0, 1.0, 1.5]


@given(st.floats(0.5, 1_000), st.lists(st.tuples(st.integers(1, 50), st.floats(0, 5)), min_size=1, max_size=50))
def test_over_any_time_at_most_the_rate_passes_and_one_burst(rate: float, steps: list[tuple[int, float]]) -> None:
    pace, now, passed = Pace(rate), 0.0, 0
    for amount, pause_s in steps:
        now += pause_s
        now += pace.take(amount, now)
        assert passed <= rate * (now + 1.0) + 1e-6
        passed += amount
