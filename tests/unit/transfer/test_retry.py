"""Going on in spite of a busy or broken link: waits are kept, breaks sat out, quotas not run into."""

from collections.abc import Callable

import pytest

from service.domain.job import JobInterrupted
from service.errors import FluxgateError, InvalidParameter, StoreBroken, StoreBusy, StoreDenied, StoreFailed, StoreTimeout, StoreUnavailable
from service.stores.influx.failures import failure
from service.transfer.retry import Budget, Once, Patience
from tests.support.mirror_faults import Clock, WaitingContext


class Told:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, level: str, line: str) -> None:
        self.lines.append((level, line))


class Calls(list[FluxgateError]):
    """Raises these, one a call; then gives `done`."""

    def __call__(self) -> str:
        if self:
            raise self.pop(0)
        return "done"


@pytest.fixture
def context() -> WaitingContext:
    return WaitingContext(Clock(1_000.0))


def patience(context: WaitingContext) -> tuple[Patience, Told]:
    told = Told()
    return Patience(context, told), told


@pytest.mark.parametrize(
    ("header", "seconds"), [({"Retry-After": "17"}, 17.0), ({"retry-after": "300"}, 300.0), ({}, 60.0), ({"Retry-After": "soon"}, 60.0)]
)
def test_a_wait_that_the_store_names_is_kept_to_the_second_and_else_is_a_minute(
    context: WaitingContext, header: dict[str, str], seconds: float
) -> None:
    calling, told = patience(context)
    assert calling.call(Calls([failure(429, header, b'{"message": "slow down"}')])) == "done"
    assert context.slept == [seconds]
    assert told.lines == [("warning", told.lines[0][1])]
    assert told.lines[0][1].endswith(f"Waiting {seconds:.0f} s.")


def test_a_store_may_be_busy_as_often_as_it_likes(context: WaitingContext) -> None:
    calling, _ = patience(context)
    assert calling.call(Calls([StoreBusy("busy", 5.0) for _ in range(100)])) == "done"
    assert (context.slept, calling.waits) == ([5.0] * 100, 100)


@pytest.mark.parametrize("kind", [StoreBroken, StoreTimeout, StoreUnavailable])
def test_four_breaks_are_sat_out_with_longer_and_longer_waits(context: WaitingContext, kind: type[FluxgateError]) -> None:
    calling, told = patience(context)
    assert calling.call(Calls([kind("away") for _ in range(4)])) == "done"
    assert [low <= slept <= 2 * low for slept, low in zip(context.slept, (1, 2, 4, 8), strict=True)] == [True] * 4
    assert len(told.lines) == 4
    assert calling.waits == 0


def test_a_break_that_lasts_is_raised(context: WaitingContext) -> None:
    calling, _ = patience(context)
    with pytest.raises(StoreUnavailable, match="the fifth"):
        calling.call(Calls([*(StoreUnavailable("away") for _ in range(4)), StoreUnavailable("the fifth")]))


@pytest.mark.parametrize("error", [StoreDenied("no"), StoreFailed("no"), InvalidParameter("x", "no")])
def test_what_time_does_not_mend_is_raised_at_once(context: WaitingContext, error: FluxgateError) -> None:
    calling, _ = patience(context)
    with pytest.raises(type(error)):
        calling.call(Calls([error]))
    assert context.slept == []


@pytest.mark.parametrize("error", [StoreBusy("busy", 60.0), StoreUnavailable("away")])
def test_a_run_that_has_to_end_does_not_wait(error: FluxgateError) -> None:
    def interrupt() -> None:
        raise JobInterrupted("stop")

    with pytest.raises(JobInterrupted):
        patience(WaitingContext(Clock(0.0), interrupt))[0].call(Calls([error]))


def test_somebody_who_waits_for_the_answer_gets_the_error() -> None:
    with pytest.raises(StoreBusy):
        Once().call(Calls([StoreBusy("busy")]))


class TestBudget:
    def budget(self, context: WaitingContext, clock: Callable[[], float], most: int | None) -> tuple[Budget, list[int], Told]:
        moved, told = [0], Told()
        return Budget(context, most, lambda: moved[0], told, clock), moved, told

    def test_what_is_within_it_does_not_wait(self) -> None:
        clock = Clock(0.0)
        context = WaitingContext(clock)
        budget, moved, _ = self.budget(context, clock, 100)
        moved[0] = 99
        budget.spend()
        assert context.slept == []

    def test_what_is_beyond_waits_for_the_rest_of_the_five_minutes_and_says_so(self) -> None:
        clock = Clock(0.0)
        context = WaitingContext(clock)
        budget, moved, told = self.budget(context, clock, 100)
        clock.now, moved[0] = 120.0, 1_234
        budget.spend()
        assert context.slept == [180.0]
        assert told.lines == [("info", "1,234 bytes went over the links in these five minutes, which is the budget: going on in 180 s.")]
        budget.spend()
        assert context.slept == [180.0]

    def test_the_next_five_minutes_count_from_nothing(self) -> None:
        clock = Clock(0.0)
        context = WaitingContext(clock)
        budget, moved, _ = self.budget(context, clock, 100)
        for now, total in ((10.0, 90), (300.0, 180), (310.0, 270)):
            clock.now, moved[0] = now, total
            budget.spend()
        assert context.slept == []
        moved[0] = 280
        budget.spend()
        assert context.slept == [290.0]

    def test_without_one_nothing_waits(self) -> None:
        clock = Clock(0.0)
        context = WaitingContext(clock)
        budget, moved, _ = self.budget(context, clock, None)
        moved[0] = 10**12
        budget.spend()
        assert context.slept == []
