"""A broken server is left alone: a pause that grows, and one try at its end."""

from service.cache.breaker import Breaker
from tests.support.clock import Clock


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    assert breaker.failed(breaker.enter() or 0) is True
    return breaker


def test_all_may_try_as_long_as_nothing_fails() -> None:
    breaker = Breaker(Clock())
    tickets = [breaker.enter() for _ in range(3)]
    assert tickets == [0, 0, 0]
    assert breaker.worked(0) is False


def test_after_a_failure_nobody_tries_for_five_seconds_and_then_one() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 4.9
    assert breaker.enter() is None
    clock.now += 0.1
    assert breaker.enter() is not None
    assert breaker.enter() is None


def test_many_failures_at_once_are_one_piece_of_news_and_one_pause() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    tickets = [breaker.enter() or 0 for _ in range(50)]
    assert [breaker.failed(ticket) for ticket in tickets] == [True] + [False] * 49
    clock.now += 5
    assert breaker.enter() is not None


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for pause_s in (5, 10, 20, 30, 30):
        clock.now += pause_s - 0.1
        early = breaker.enter()
        clock.now += 0.1
        ticket = breaker.enter()
        assert ticket is not None
        assert breaker.failed(ticket) is False
        pauses.append(early)
    assert pauses == [None] * 5


def test_one_try_that_works_ends_it_for_all_and_the_next_pause_is_short_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5
    assert breaker.worked(breaker.enter() or 0) is True
    assert breaker.failed(breaker.enter() or 0) is True
    clock.now += 5
    assert breaker.enter() is not None


def test_an_old_try_that_ends_late_says_nothing_about_now() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    slow, quick = breaker.enter(), breaker.enter()
    assert slow is not None and quick is not None
    breaker.failed(quick)
    assert breaker.worked(slow) is False
    assert breaker.enter() is None


def test_a_try_that_is_never_reported_does_not_close_the_door_for_ever() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5
    assert breaker.enter() is not None
    clock.now += 5
    assert breaker.enter() is not None
