"""How many points are copied at a time.

More when that is quick, fewer when it is slow, never more than a budget allows.
"""

import pytest

from service.jobs.mirror.group_size import GroupSize


@pytest.mark.parametrize(
    ("is_remote", "budget_bytes", "points"),
    [
        (True, None, 400_000),
        (False, None, 1_000_000),
        (False, 100_000_000, 500_000),
        (True, 100_000_000, 400_000),
        (True, 1_000, 10_000),
    ],
)
def test_the_first_group_is_small_over_a_link_and_within_a_quarter_of_the_budget(
    is_remote: bool, budget_bytes: int | None, points: int
) -> None:
    assert GroupSize.first(is_remote, budget_bytes).points == points


@pytest.mark.parametrize(
    ("had_to_wait", "took_s", "points"),
    [
        (False, 2.9, 800_000),
        (False, 3.0, 400_000),
        (False, 20.0, 400_000),
        (False, 20.1, 200_000),
        (True, 0.1, 200_000),
    ],
)
def test_the_next_group_doubles_when_quick_and_halves_when_slow_or_when_the_other_side_asked_to_wait(
    had_to_wait: bool, took_s: float, points: int
) -> None:
    assert GroupSize.first(True, None).after(had_to_wait, took_s).points == points


def test_a_group_never_leaves_its_limits() -> None:
    size = GroupSize.first(True, None)
    for _ in range(20):
        size = size.after(had_to_wait=False, took_s=0.1)
    assert size.points == 2_000_000
    for _ in range(20):
        size = size.after(had_to_wait=True, took_s=0.1)
    assert size.points == 10_000
