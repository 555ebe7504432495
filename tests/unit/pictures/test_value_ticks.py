"""The axis of values: round lines, short labels, any finite number."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.pictures.value_ticks import value_axis

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def texts(lowest: float, highest: float, most: int = 5) -> list[str]:
    return [label for _, label in value_axis(lowest, highest, most).ticks]


@pytest.mark.parametrize(
    ("lowest", "highest", "labels"),
    [
        (0, 10, ["0.0", "2.5", "5.0", "7.5", "10.0"]),
        (0, 9, ["0", "2", "4", "6", "8"]),
        (-1, 1, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        (0, 4000, ["0", "1,000", "2,000", "3,000", "4,000"]),
        (20.1, 20.4, ["20.1", "20.2", "20.3", "20.4"]),
        (0, 2e9, ["0", "5.0e8", "1.0e9", "1.5e9", "2.0e9"]),
        (0, 4e-7, ["0", "1e-7", "2e-7", "3e-7", "4e-7"]),
    ],
)
def test_labels_are_round_and_short(lowest: float, highest: float, labels: list[str]) -> None:
    assert texts(lowest, highest) == labels


def test_values_that_hardly_differ_count_from_a_base() -> None:
    axis = value_axis(1e9, 1e9 + 4, 5)
    assert (axis.base, [label for _, label in axis.ticks]) == ("1,000,000,000", ["+0", "+1", "+2", "+3", "+4"])


@pytest.mark.parametrize("value", [0.0, 5.0, -3.5, 1e300, 5e-324, 2.0**63, 1.7976931348623157e308])
def test_a_constant_lies_in_the_plot(value: float) -> None:
    axis = value_axis(value, value, 5)
    assert 0 < axis.share(value) < 1 or abs(value) > 1e308
    assert axis.ticks


@given(FINITE, FINITE, st.integers(2, 20))
@example(-1.7976931348623157e308, 1.7976931348623157e308, 5)
@example(0.0, 5e-324, 5)
@example(1.0, 1.0000000000000002, 5)
def test_any_two_numbers_make_an_axis(one: float, other: float, most: int) -> None:
    lowest, highest = min(one, other), max(one, other)
    axis = value_axis(lowest, highest, most)
    shares = axis.shares(np.array([lowest, highest]))
    assert np.all((shares >= -1e-9) & (shares <= 1 + 0.06))
    assert axis.low < axis.high and math.isfinite(axis.low) and math.isfinite(axis.high)
    assert len(axis.ticks) <= 2 * most + 4
    assert all(len(label) <= 12 for _, label in axis.ticks)
