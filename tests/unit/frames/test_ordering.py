"""Times that go back are found however far apart two times are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.frames.ordering import descents

TIMES = st.integers(EARLIEST_NS, LATEST_NS)


@given(st.lists(TIMES, min_size=1), TIMES)
def test_descents_are_those_of_a_comparison_one_by_one(times: list[int], before: int) -> None:
    expected = [row for row, time in enumerate(times) if time < [before, *times][row]]
    assert descents(np.array(times, np.int64), before).tolist() == expected


def test_a_step_over_all_the_time_there_is_goes_forward() -> None:
    assert descents(np.array([LATEST_NS, EARLIEST_NS], np.int64), EARLIEST_NS).tolist() == [1]
