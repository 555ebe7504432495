"""Wrong values are found by bisection: exactly those, in few posts, and no post at all where nothing is accepted."""

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.bisection import (
    ENOUGH_PARTS,
    ENOUGH_VALUES,
    MOST_REFUSALS,
    AllRefused,
    Bisection,
    Cause,
    Part,
)


def each_alone(part: Part) -> tuple[int, int]:
    """Each value is a sensor."""
    return part[0], part[-1]


def hundreds(part: Part) -> tuple[int, int]:
    """A hundred values each are a sensor."""
    return part[0] // 100, part[-1] // 100


class Api:
    """Takes a part when it holds no value of `poison`, and at most `most` values."""

    def __init__(self, poison: Callable[[int], bool], most: int = 10**9) -> None:
        self.poison, self.most = poison, most
        self.accepted: list[int] = []
        self.posts: list[Sequence[int]] = []

    def run(self, values: int, sensors_of: Callable[[Part], tuple[int, int]] = each_alone) -> Bisection[str]:
        bisection: Bisection[str] = Bisection(range(values), sensors_of)
        while (part := bisection.next()) is not None:
            self.posts.append(part)
            if len(part) > self.most:
                bisection.split("413")
            elif any(map(self.poison, part)):
                bisection.refuse("422")
            else:
                self.accepted += part
                bisection.accept()
        return bisection


def given_up(bisection: Bisection[str], cause: Cause = Cause.REFUSED) -> list[int]:
    return sorted(value for entry in bisection.given_up if entry.cause is cause for value in entry.part)


@pytest.mark.parametrize("poison", [0, 1, 2_499, 2_500, 4_998, 4_999])
def test_one_poison_value_among_5_000_costs_at_most_27_posts(poison: int) -> None:
    api = Api({poison}.__contains__)
    assert given_up(api.run(5_000)) == [poison]
    assert len(api.posts) <= 27
    assert sorted(api.accepted) == [value for value in range(5_000) if value != poison]


@given(st.integers(1, 400), st.sets(st.integers(0, 399), max_size=15), st.integers(1, 400))
def test_exactly_the_poison_values_are_given_up(values: int, poison: set[int], most: int) -> None:
    poison = {value for value in poison if value < values}
    if len(poison) == values >= ENOUGH_VALUES:
        return
    api = Api(poison.__contains__, most)
    assert given_up(api.run(values)) == sorted(poison)
    assert sorted(api.accepted) == sorted(set(range(values)) - poison), "each other value is accepted once"


@given(st.sets(st.integers(0, 4_999), min_size=1, max_size=15))
def test_each_poison_value_costs_two_posts_a_halving(poison: set[int]) -> None:
    api = Api(poison.__contains__)
    api.run(5_000)
    assert len(api.posts) <= 1 + 2 * len(poison) * math.ceil(math.log2(5_000))


def test_the_same_values_make_the_same_posts() -> None:
    runs = [Api({17, 300}.__contains__, most=100) for _ in range(2)]
    for api in runs:
        api.run(1_000)
    assert runs[0].posts == runs[1].posts


def test_where_nothing_is_accepted_the_run_stops_after_few_posts() -> None:
    api = Api(lambda _value: True)
    with pytest.raises(AllRefused) as stopped:
        api.run(1_000_000)
    assert stopped.value.is_everything
    assert len(api.posts) == stopped.value.refusals == 2 * ENOUGH_PARTS - 1


@pytest.mark.parametrize(("values", "stops"), [(ENOUGH_VALUES - 1, False), (ENOUGH_VALUES, True)])
def test_few_values_may_all_be_wrong(values: int, stops: bool) -> None:
    api = Api(lambda _value: True)
    if stops:
        with pytest.raises(AllRefused):
            api.run(values)
    else:
        assert given_up(api.run(values)) == list(range(values))


def test_a_sensor_that_is_refused_as_a_whole_is_not_asked_value_by_value() -> None:
    api = Api(lambda value: 2_000 <= value < 2_100)
    bisection = api.run(5_000, hundreds)
    refused = given_up(bisection) + given_up(bisection, Cause.SENSOR_REFUSED)
    assert sorted(refused) == list(range(2_000, 2_100))
    assert given_up(bisection, Cause.SENSOR_REFUSED)
    assert len(api.posts) < 80, "the 100 values alone would need 200"


def test_a_sensor_of_which_values_are_accepted_is_asked_value_by_value() -> None:
    poison = {2_000 + 5 * value for value in range(20)}
    bisection = Api(poison.__contains__).run(5_000, hundreds)
    assert given_up(bisection) == sorted(poison)
    assert not given_up(bisection, Cause.SENSOR_REFUSED)


def test_a_batch_with_too_many_wrong_values_stops_the_run() -> None:
    api = Api(lambda value: value > 40_000 and value % 3 == 0)
    with pytest.raises(AllRefused) as stopped:
        api.run(50_000)
    assert not stopped.value.is_everything
    assert stopped.value.refusals == MOST_REFUSALS + 1


def test_a_part_that_is_too_large_is_halved_and_no_refusal() -> None:
    api = Api(lambda _value: False, most=10)
    bisection = api.run(100)
    assert (bisection.refusals, bisection.given_up, sorted(api.accepted)) == (0, [], list(range(100)))


def test_a_value_that_is_too_large_alone_is_given_up_as_such() -> None:
    assert given_up(Api(lambda _value: False, most=0).run(5), Cause.TOO_LARGE) == list(range(5))


def test_where_every_value_is_too_large_the_run_stops() -> None:
    with pytest.raises(AllRefused):
        Api(lambda _value: False, most=0).run(ENOUGH_VALUES)


def test_named_values_are_taken_out_and_the_rest_is_posted_once() -> None:
    bisection: Bisection[str] = Bisection(range(10), each_alone)
    assert bisection.next() == range(10)
    bisection.replace([0, 1, 2, 9])
    assert bisection.next() == [0, 1, 2, 9]
    bisection.accept()
    assert bisection.next() is None


def test_an_empty_rest_is_not_posted() -> None:
    bisection: Bisection[str] = Bisection(range(2), each_alone)
    bisection.next()
    bisection.replace([])
    assert bisection.next() is None
