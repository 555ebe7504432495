"""What the client sends again, after which pauses, and how the pauses end."""

from email.utils import formatdate

import pytest

from fluxgate_client import (
    AnswerBroken,
    Forbidden,
    GatewayError,
    GatewayUnreachable,
    NotFound,
    RateLimited,
    Retry,
    StoreFailed,
    Unavailable,
)
from fluxgate_client.answers import retry_after_s

BUSY = RateLimited(429, {"code": "too_many_reads"}, 2.0)
AWAY = Unavailable(503, {"code": "store_unavailable"}, 5.0)
MAYBE = GatewayUnreachable("silence", may_have_arrived=True)
NEVER_SENT = GatewayUnreachable("no connection")


def pauses(errors: list[GatewayError], *, repeatable: bool = True, random: float = 0.0) -> list[float]:
    tries = Retry(random=lambda: random).begin(repeatable)
    return [tries.pause_s(error) for error in errors]


def test_pauses_double_and_have_a_random_half() -> None:
    assert pauses([NEVER_SENT] * 3) == [0.125, 0.25, 0.5]
    assert pauses([NEVER_SENT] * 3, random=1.0) == [0.25, 0.5, 1.0]


def test_the_gateways_own_moment_is_kept_with_a_little_after_it() -> None:
    assert pauses([BUSY, AWAY]) == [2.0, 5.0]
    assert pauses([BUSY, AWAY], random=0.5) == [2.125, 5.125]


def test_the_last_try_raises_what_went_wrong() -> None:
    with pytest.raises(GatewayUnreachable) as last:
        pauses([BUSY, AWAY, NEVER_SENT, MAYBE])
    assert last.value is MAYBE


def test_a_moment_that_is_too_far_away_is_the_callers_to_wait_for() -> None:
    with pytest.raises(RateLimited):
        pauses([RateLimited(429, {}, 61.0)])


@pytest.mark.parametrize("error", [AWAY, MAYBE, AnswerBroken("cut")])
def test_what_may_have_been_done_is_not_done_twice(error: GatewayError) -> None:
    assert len(pauses([error])) == 1
    with pytest.raises(type(error)):
        pauses([error], repeatable=False)


@pytest.mark.parametrize("error", [BUSY, NEVER_SENT])
def test_what_was_surely_not_done_is_sent_again_whatever_it_is(error: GatewayError) -> None:
    assert len(pauses([error], repeatable=False)) == 1


@pytest.mark.parametrize(
    "error",
    [
        NotFound(404, {}),
        Forbidden(403, {}),
        StoreFailed(502, {}, 1.0),
        Unavailable(503, {}),
        RateLimited(429, {"code": "too_many_failed_tries"}, 1.0),
    ],
)
def test_what_would_fail_again_is_not_tried_again(error: GatewayError) -> None:
    with pytest.raises(type(error)):
        pauses([error])


def test_one_try_is_one_try() -> None:
    with pytest.raises(RateLimited):
        Retry(tries=1).begin(repeatable=True).pause_s(BUSY)
    with pytest.raises(ValueError, match="at least one try"):
        Retry(tries=0)


def test_retry_after_has_two_forms() -> None:
    now_s = 1_767_225_600.0
    assert retry_after_s("7", now_s) == 7.0
    assert retry_after_s(formatdate(now_s + 9, usegmt=True), now_s) == 9.0
    assert retry_after_s(formatdate(now_s - 9, usegmt=True), now_s) == 0.0
    assert [retry_after_s(text, now_s) for text in (None, "soon", "-1", "", "²")] == [None] * 5
