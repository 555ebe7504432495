"""Decides whether a failed job is tried again, and when, by the kind of error.

A wait that the other server named is kept to the second. Otherwise the wait doubles with every attempt, up to a limit,
and has a random part, so that many jobs do not return at the same moment.
"""

from service.errors import FluxgateError, RetryLater, UpstreamUnavailable

FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 300.0


def next_try(
    error: Exception,
    attempts: int,
    max_attempts: int | None,
    deadline: float | None,
    now: float,
    chance: float,
) -> float | None:
    """The moment of the next attempt in seconds since 1970; None: there is none.

    `attempts` counts the attempts so far, including this one; `max_attempts` None: there is no limit. `chance` is a
    random number in [0, 1).
    """
    if not is_transient(error) or (max_attempts is not None and attempts >= max_attempts):
        return None
    named_s = error.retry_after_s if isinstance(error, RetryLater | UpstreamUnavailable) else None
    at = now + (wait_s(attempts, chance) if named_s is None else named_s)
    return None if deadline is not None and at >= deadline else at


def is_transient(error: Exception) -> bool:
    """Whether the error may go away with time. A wrong request, token or setting stays wrong, as does a defect."""
    return isinstance(error, FluxgateError) and error.retryable


def wait_s(attempts: int, chance: float) -> float:
    """Seconds before the next attempt after `attempts` of them: half to all of the doubled wait."""
    whole_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(max(0, attempts - 1), 30))
    return whole_s * (0.5 + chance / 2)
