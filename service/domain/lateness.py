"""How late points arrive: what a comparison of two buckets shows of it, and the settle time that follows.

A comparison shows that a range, which was over and equal when it was compared last, has more points now. They came
after that comparison, so they are at least as late as it was after the end of the range. The greatest of many such
findings comes near the real lateness and never exceeds it. All times are ns.
"""

from collections.abc import Iterable

from service.domain.durations import MINUTE_NS
from service.domain.timerange import TimeRange

KEPT_DAYS = 7
"""For how many days a finding counts: a single import of older data is forgotten after that."""
_FIRST_STEP_NS = 15 * MINUTE_NS


def lateness_ns(gained: Iterable[TimeRange], compared_ns: int, reach_ns: int) -> int:
    """How late points are that came into ranges which had been compared at `compared_ns`; 0 where none is known to be.

    Ranges that were over for longer than `reach_ns` then are left out: every run compares the younger ones only.
    """
    ages_ns = (compared_ns - span.stop_ns for span in gained)
    return max((age_ns for age_ns in ages_ns if 0 < age_ns <= reach_ns), default=0)


def settle_ns(setting_ns: int, measured_ns: int, most_ns: int) -> int:
    """The settle time: `setting_ns`, or what was measured when that is more.

    What was measured is rounded up to the next of 15 minutes, 30 minutes, 1 hour, 2 hours and so on, so that it seldom
    changes, and is at most `most_ns`.
    """
    if measured_ns <= setting_ns:
        return setting_ns
    step_ns = _FIRST_STEP_NS
    while step_ns < min(measured_ns, most_ns):
        step_ns *= 2
    return max(setting_ns, min(step_ns, most_ns))
