"""A target that shows late is asked again, for 15 seconds on this machine and two minutes elsewhere."""

from collections.abc import Iterator
from itertools import count, repeat

import pytest

from service.transfer.read_back import ReadBack
from tests.support.clock import Clock
from tests.support.mirror_faults import WaitingContext


def read_back(is_remote: bool) -> tuple[ReadBack, WaitingContext]:
    clock = Clock(1_000.0)
    context = WaitingContext(clock)
    return ReadBack(context, clock, is_remote), context


def test_an_answer_that_is_enough_is_not_asked_for_again() -> None:
    asking, context = read_back(is_remote=True)
    answers = count()
    assert asking.ask(lambda: next(answers), lambda answer: answer == 0) == 0
    assert context.slept == []


def test_the_pauses_double_up_to_the_longest() -> None:
    asking, context = read_back(is_remote=True)
    answers = count()
    assert asking.ask(lambda: next(answers), lambda answer: answer == 6, longest_pause_s=5.0) == 6
    assert context.slept == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0]


@pytest.mark.parametrize(("is_remote", "within_s"), [(False, 15.0), (True, 120.0)])
def test_the_last_answer_is_given_when_the_time_is_over(is_remote: bool, within_s: float) -> None:
    asking, context = read_back(is_remote)
    answers: Iterator[str] = repeat("nothing")
    assert asking.ask(lambda: next(answers), lambda answer: False, longest_pause_s=1.0) == "nothing"
    assert within_s <= sum(context.slept) < within_s + 1.0


def test_the_time_is_shared_by_all_questions_of_one_group() -> None:
    asking, context = read_back(is_remote=False)
    asking.ask(lambda: None, lambda answer: False)
    slept = sum(context.slept)
    asking.ask(lambda: None, lambda answer: False)
    assert sum(context.slept) == slept


def test_nothing_is_waited_for_from_the_last_moment_on() -> None:
    clock = Clock(1_000.0)
    context = WaitingContext(clock)
    asking = ReadBack(context, clock, is_remote=False)
    clock.now = 1_015.0
    assert asking.ask(lambda: "nothing", lambda answer: False) == "nothing"
    assert context.slept == []
