"""Whether a failed job is tried again, and when: one decision, by kind of error.

A wait that the other side named is kept to the second. Otherwise the wait doubles with every attempt, up
to a limit, and is spread at random so that many jobs do not come back at one moment.
"""

from service.errors import FluxgateError, RetryLater

FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 300.0


def next_try(error: Exception, attempts: int, max_attempts: int | None, deadline: float | None, now: float, chance: float) -> float | None:
    """The moment of the next try in seconds since 1970, or None: never.

    `attempts` made so far, this one included, of at most `max_attempts` (None: as many as it takes);
    `chance` is a random number in [0, 1).
    """
    if not passes(error) or (max_attempts is not None and attempts >= max_attempts):
        return None
    at = now + (error.retry_after_s if isinstance(error, RetryLater) else wait_s(attempts, chance))
    return None if deadline is not None and at >= deadline else at


def passes(error: Exception) -> bool:
    """Time alone may mend it: a wrong request, token or setting stays wrong, and a mistake in the code does too."""
    return isinstance(error, FluxgateError) and error.mended_by_time


def wait_s(attempts: int, chance: float) -> float:
    """Seconds before the next try after `attempts` of them: between half the doubled wait and all of it."""
    whole_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(max(0, attempts - 1), 30))
    return whole_s * (0.5 + chance / 2)
