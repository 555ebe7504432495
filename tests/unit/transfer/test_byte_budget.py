"""A quota is not run into: what is beyond the budget waits for the next five minutes."""

from collections.abc import Callable

from service.transfer.byte_budget import ByteBudget
from tests.support.clock import Clock
from tests.support.mirror_faults import WaitingContext


def budget_of(context: WaitingContext, clock: Callable[[], float], most: int | None) -> tuple[ByteBudget, list[int]]:
    """The budget, and the bytes that were moved so far."""
    moved = [0]
    return ByteBudget(context, most, lambda: moved[0], context.log, clock), moved


def test_what_is_within_it_does_not_wait() -> None:
    clock = Clock(0.0)
    context = WaitingContext(clock)
    budget, moved = budget_of(context, clock, 100)
    moved[0] = 99
    budget.spend()
    assert context.slept == []


def test_what_is_beyond_waits_for_the_rest_of_the_five_minutes_and_says_so() -> None:
    clock = Clock(0.0)
    context = WaitingContext(clock)
    budget, moved = budget_of(context, clock, 100)
    clock.now, moved[0] = 120.0, 1_234
    budget.spend()
    assert context.slept == [180.0]
    assert context.lines == [
        ("info", "1,234 bytes went over the links in these five minutes, which is the budget: going on in 180 s.")
    ]
    budget.spend()
    assert context.slept == [180.0]


def test_what_is_moved_after_the_wait_counts_in_the_new_five_minutes() -> None:
    clock = Clock(0.0)
    context = WaitingContext(clock)
    budget, moved = budget_of(context, clock, 100)
    clock.now, moved[0] = 120.0, 150
    budget.spend()
    moved[0] = 249
    budget.spend()
    assert context.slept == [180.0]
    moved[0] = 250
    budget.spend()
    assert context.slept == [180.0, 300.0]


def test_the_next_five_minutes_count_from_nothing() -> None:
    clock = Clock(0.0)
    context = WaitingContext(clock)
    budget, moved = budget_of(context, clock, 100)
    for now, total in ((10.0, 90), (300.0, 180), (310.0, 270)):
        clock.now, moved[0] = now, total
        budget.spend()
    assert context.slept == []
    moved[0] = 280
    budget.spend()
    assert context.slept == [290.0]


def test_without_one_nothing_waits() -> None:
    clock = Clock(0.0)
    context = WaitingContext(clock)
    budget, moved = budget_of(context, clock, None)
    moved[0] = 10**12
    budget.spend()
    assert context.slept == []
