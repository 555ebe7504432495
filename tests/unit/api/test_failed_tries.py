"""Wrong keys: the guess has to wait, the owner does not, however many guess at one time and from wherever."""

import asyncio
from collections.abc import Sequence

import pytest

from service.api.failed_tries import FailedTries, check_key
from service.api.thread_pools import ThreadPool
from service.domain.access import Principal, Scope
from service.errors import NotReady, TooManyFailedTries, Unauthorized
from service.state.key_format import has_key_format
from tests.support.clock import Clock

OWNER = Principal("1a2b3c4d", "owner", frozenset({Scope.READ}))
POOL = ThreadPool("state database", 16)
RIGHT = "fg_1a2b3c4d_right_01e5eb9d"
GUESSES = [f"fg_1a2b3c4d_{secret}_{check}" for secret, check in (("wrong0", "9d4ff7dc"), ("wrong1", "ea48c74a"))]


class Keys:
    """A ring with the one key RIGHT, which counts what it is asked."""

    def __init__(self) -> None:
        self.checked: list[str | None] = []
        self.listed_for: list[str] = []
        self.away = False

    def check(self, presented: str | None) -> Principal:
        self.checked.append(presented)
        if self.away:
            raise NotReady("The state database does not answer.")
        if presented != RIGHT:
            raise Unauthorized("no")
        return OWNER

    def listed(self, presented: str) -> Principal | None:
        self.listed_for.append(presented)
        return OWNER if presented == RIGHT else None


def asked(keys: Keys, tries: FailedTries, presented: Sequence[str], origin: str = "a") -> list[object]:
    """What each of `presented`, sent at one time, is told: an id, or the name of the error."""

    async def ask() -> list[object]:
        return list(
            await asyncio.gather(
                *(check_key(keys, one, tries, origin, POOL) for one in presented), return_exceptions=True
            )
        )

    return [found.id if isinstance(found, Principal) else type(found).__name__ for found in asyncio.run(ask())]


def test_the_examples_have_the_form_of_keys() -> None:
    assert [has_key_format(key) for key in (RIGHT, *GUESSES, "wrong")] == [True, True, True, False]


@pytest.mark.parametrize("guess", ["wrong", GUESSES[0]])
def test_sixty_wrong_keys_at_one_time_get_five_401(guess: str) -> None:
    keys = Keys()
    told = asked(keys, FailedTries(5, Clock()), [guess] * 60)
    assert (told.count("Unauthorized"), told.count("TooManyFailedTries")) == (5, 55)
    assert len(keys.checked) == 5


def test_a_right_key_works_from_an_address_that_is_locked_out() -> None:
    keys, tries = Keys(), FailedTries(2, Clock())
    assert asked(keys, tries, ["wrong", "wrong", "wrong", RIGHT]) == [
        "Unauthorized",
        "Unauthorized",
        "TooManyFailedTries",
        OWNER.id,
    ]
    assert asked(keys, tries, [RIGHT, GUESSES[1], RIGHT]) == [OWNER.id, "TooManyFailedTries", OWNER.id]


def test_a_locked_out_guess_that_cannot_be_a_key_is_not_even_held_against_the_list() -> None:
    keys = Keys()
    asked(keys, FailedTries(1, Clock()), ["wrong", "wrong", "guess", GUESSES[0]])
    assert keys.listed_for == [GUESSES[0]]


def test_right_keys_are_no_tries() -> None:
    keys, tries = Keys(), FailedTries(2, Clock())
    assert asked(keys, tries, [RIGHT] * 10) == [OWNER.id] * 10
    assert asked(keys, tries, ["wrong"] * 3) == ["Unauthorized", "Unauthorized", "TooManyFailedTries"]


def test_a_database_that_is_away_makes_no_tries() -> None:
    keys, tries = Keys(), FailedTries(2, Clock())
    keys.away = True
    for _ in range(5):
        assert asked(keys, tries, [GUESSES[0]]) == ["NotReady"]
    keys.away = False
    assert asked(keys, tries, [GUESSES[0]]) == ["Unauthorized"]


def test_a_minute_after_a_try_there_is_another() -> None:
    clock = Clock()
    keys, tries = Keys(), FailedTries(2, clock)
    asked(keys, tries, ["wrong"])
    clock.now += 30.0
    assert asked(keys, tries, ["wrong", "wrong"]) == ["Unauthorized", "TooManyFailedTries"]
    clock.now += 30.0
    assert asked(keys, tries, ["wrong", "wrong"]) == ["Unauthorized", "TooManyFailedTries"]


def test_addresses_are_counted_apart() -> None:
    keys, tries = Keys(), FailedTries(1, Clock())
    assert asked(keys, tries, ["wrong", "wrong"], "a") == ["Unauthorized", "TooManyFailedTries"]
    assert asked(keys, tries, ["wrong"], "b") == ["Unauthorized"]


def test_however_many_addresses_try_only_so_many_are_kept_and_none_for_long() -> None:
    clock = Clock()
    tries = FailedTries(5, clock, most_origins=100)
    for number in range(1000):
        tries.take(f"address {number}")
    assert len(tries) == 100
    clock.now += 60.0
    tries.take("another")
    assert len(tries) == 1


def test_an_address_that_goes_on_trying_is_not_the_first_to_be_forgotten() -> None:
    tries = FailedTries(1, Clock(), most_origins=3)
    for other in range(50):
        tries.take("stubborn")
        tries.take(f"other {other}")
    assert tries.take("stubborn") is None


def test_the_refusal_says_when_to_come_back() -> None:
    tries = FailedTries(1, Clock())
    tries.take("a")
    with pytest.raises(TooManyFailedTries, match="Wait a minute") as refused:
        asyncio.run(check_key(Keys(), "wrong", tries, "a", POOL))
    assert refused.value.retry_after_s == 60
