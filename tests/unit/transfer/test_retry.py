"""Going on in spite of a busy or broken link: waits are kept, short breaks are waited out."""

import pytest

from service.domain.job import JobInterrupted
from service.errors import (
    FluxgateError,
    InvalidParameter,
    StoreBroken,
    StoreBusy,
    StoreDenied,
    StoreFailed,
    StoreTimeout,
    StoreUnavailable,
)
from service.stores.influx.failures import failure
from service.transfer.retry import NoRetry, Retry
from tests.support.clock import Clock
from tests.support.mirror_faults import WaitingContext


class Calls(list[FluxgateError]):
    """Raises these, one a call; then gives `done`."""

    def __call__(self) -> str:
        if self:
            raise self.pop(0)
        return "done"


@pytest.fixture
def context() -> WaitingContext:
    return WaitingContext(Clock(1_000.0))


def retry(context: WaitingContext) -> Retry:
    return Retry(context, context.log)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [({"Retry-After": "17"}, 17.0), ({"retry-after": "300"}, 300.0), ({}, 60.0), ({"Retry-After": "soon"}, 60.0)],
)
def test_a_wait_that_the_store_names_is_kept_to_the_second_and_else_is_a_minute(
    context: WaitingContext, header: dict[str, str], seconds: float
) -> None:
    calling = retry(context)
    assert calling.call(Calls([failure(429, header, b'{"message": "slow down"}')])) == "done"
    assert context.slept == [seconds]
    assert context.lines == [("warning", context.lines[0][1]), ("upstream", "slow down")]
    assert context.lines[0][1].endswith(f"Waiting {seconds:.0f} s.")


def test_a_store_may_be_busy_as_often_as_it_likes(context: WaitingContext) -> None:
    calling = retry(context)
    assert calling.call(Calls([StoreBusy("busy", 5.0) for _ in range(100)])) == "done"
    assert (context.slept, calling.waits) == ([5.0] * 100, 100)


def test_after_a_wait_the_other_act_gives_the_result_where_there_is_one(context: WaitingContext) -> None:
    calling = retry(context)
    busy = Calls([StoreBusy("busy", 5.0), StoreBusy("busy again", 5.0)])
    assert calling.call(busy, lambda: "instead") == "instead"
    assert (context.slept, calling.waits, len(busy)) == ([5.0], 1, 1)
    assert calling.call(Calls([StoreBroken("cut")]), lambda: "instead") == "done", "a break is no wait"


@pytest.mark.parametrize("kind", [StoreBroken, StoreTimeout, StoreUnavailable])
def test_four_breaks_are_waited_out_with_longer_and_longer_waits(
    context: WaitingContext, kind: type[FluxgateError]
) -> None:
    calling = retry(context)
    assert calling.call(Calls([kind("away") for _ in range(4)])) == "done"
    assert [low <= slept <= 2 * low for slept, low in zip(context.slept, (1, 2, 4, 8), strict=True)] == [True] * 4
    assert len(context.lines) == 4
    assert calling.waits == 0


def test_a_break_that_lasts_is_raised(context: WaitingContext) -> None:
    calling = retry(context)
    with pytest.raises(StoreUnavailable, match="the fifth"):
        calling.call(Calls([*(StoreUnavailable("away") for _ in range(4)), StoreUnavailable("the fifth")]))


@pytest.mark.parametrize("error", [StoreDenied("no"), StoreFailed("no"), InvalidParameter("x", "no")])
def test_what_time_does_not_mend_is_raised_at_once(context: WaitingContext, error: FluxgateError) -> None:
    calling = retry(context)
    with pytest.raises(type(error)):
        calling.call(Calls([error]))
    assert context.slept == []


@pytest.mark.parametrize("error", [StoreBusy("busy", 60.0), StoreUnavailable("away")])
def test_a_run_that_has_to_end_does_not_wait(error: FluxgateError) -> None:
    def interrupt() -> None:
        raise JobInterrupted("stop")

    with pytest.raises(JobInterrupted):
        retry(WaitingContext(Clock(0.0), interrupt)).call(Calls([error]))


def test_somebody_who_waits_for_the_answer_gets_the_error() -> None:
    with pytest.raises(StoreBusy):
        NoRetry().call(Calls([StoreBusy("busy")]))


def test_a_job_that_is_stopped_during_a_call_that_breaks_ends_without_a_word_about_the_break() -> None:
    """Ending a job closes its connections, which looks like a break."""
    is_stopped: list[bool] = []

    def interrupt() -> None:
        if is_stopped:
            raise JobInterrupted

    def stopped_meanwhile() -> str:
        is_stopped.append(True)
        raise StoreBroken("cut")

    context = WaitingContext(Clock(1_000.0), interrupt)
    with pytest.raises(JobInterrupted):
        retry(context).call(stopped_meanwhile)
    assert (context.lines, context.slept) == ([], [])
