"""The share of a bound that one key may hold."""

import pytest

from service.shares import Full, Reserve, Shares, share_of_key


@pytest.mark.parametrize(
    ("most", "leaves_a_quarter", "leaves_half"),
    [(1, 1, 1), (2, 2, 1), (4, 3, 2), (8, 6, 4), (16, 12, 8), (64, 48, 32)],
)
def test_a_key_leaves_a_quarter_of_what_ends_and_half_of_what_waits(
    most: int,
    leaves_a_quarter: int,
    leaves_half: int,
) -> None:
    assert share_of_key(most, Reserve.QUARTER) == leaves_a_quarter
    assert share_of_key(most, Reserve.HALF) == leaves_half


def test_what_is_refused_is_not_counted_and_what_comes_back_is_there_again() -> None:
    shares = Shares(10, 6)
    assert shares.take("a", 6) is None
    assert shares.take("a") is Full.KEY
    assert shares.take("b", 5) is Full.ALL
    assert (shares.taken, shares.full("b", 4), shares.full("b", 5)) == (6, None, Full.ALL)
    shares.give_back("a", 6)
    assert (shares.taken, shares.take("a", 6)) == (0, None)
