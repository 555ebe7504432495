"""When a schedule fires: by a cron expression in a time zone, or at a fixed interval.

Pure arithmetic on seconds since 1970. A fixed time in the hour that a clock change repeats fires once. A fixed time in
the hour that a clock change skips fires at the end of that hour.
"""

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass, field
from enum import StrEnum

from cronsim import CronSim, CronSimError

from service.domain.job import Json
from service.errors import InvalidParameter

LATE_S = 60.0
"""A tick that is this late was missed: no scheduler ran at its time."""
_INTERVAL = re.compile(r"([0-9]{2,4}):([0-5][0-9]):([0-5][0-9])", re.ASCII)
_CRON_FORM = "minute hour day-of-month month day-of-week, such as `0 * * * *` (hourly) or `30 2 * * MON-FRI`"


class Missed(StrEnum):
    """What happens to ticks that passed while no scheduler ran: one run for all of them, or none."""

    RUN_ONCE = "run_once"
    SKIP = "skip"


@dataclass(frozen=True)
class Schedule:
    """What to run, and when: either `cron` (in `zone`) or `every` (`HH:MM:SS`, on the UTC grid from 1970).

    `at_start`: it also fires whenever a scheduler starts. Raises InvalidParameter for a schedule that cannot be read.
    """

    name: str
    kind: str
    parameters: Json = field(default_factory=dict)
    cron: str | None = None
    zone: str = "UTC"
    every: str | None = None
    missed: Missed = Missed.RUN_ONCE
    enabled: bool = True
    at_start: bool = False

    def __post_init__(self) -> None:
        if (self.cron is None) == (self.every is None):
            reason = f"needs either cron ({_CRON_FORM}) or every (HH:MM:SS), and not both"
            raise InvalidParameter("cron", f"The schedule {self.name!r} {reason}.")
        if self.every is not None:
            parse_interval(self.every, "every")
        if self.cron is not None:
            next_cron(self.cron, self.zone, 0.0)

    def next_after(self, moment: float) -> float:
        """The first tick after `moment`."""
        if self.every is not None:
            step_s = parse_interval(self.every, "every")
            return float((int(moment // step_s) + 1) * step_s)
        return next_cron(self.cron or "", self.zone, moment)


@dataclass(frozen=True)
class Due:
    """What to do at a tick. `fire` false: the tick was missed, and the schedule skips missed ticks."""

    fire: bool
    next_run: float


def due(schedule: Schedule, next_run: float, now: float) -> Due | None:
    """What to do at `now` about the tick `next_run`; None before it. Many missed ticks fire at most once."""
    if now < next_run:
        return None
    is_skipped = schedule.missed is Missed.SKIP and now - next_run > LATE_S
    return Due(not is_skipped, schedule.next_after(now))


def parse_interval(text: str, parameter: str) -> int:
    """Seconds of `HH:MM:SS`, at least one. Raises InvalidParameter."""
    match = _INTERVAL.fullmatch(text)
    seconds = 0 if match is None else int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    if seconds == 0:
        finding = "is not an interval. Write HH:MM:SS, at least 00:00:01: 00:10:00 is ten minutes."
        raise InvalidParameter(parameter, finding, value=text)
    return seconds


def next_cron(text: str, zone: str, moment: float) -> float:
    """The first time after `moment` that `text` names in `zone`. Raises InvalidParameter."""
    try:
        local = dt.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        form = "Write a name such as UTC or Europe/Berlin."
        raise InvalidParameter("zone", f"zone={zone!r} is no time zone. {form}") from None
    if len(text.split()) != 5:
        raise InvalidParameter("cron", f"is no cron expression. Write five parts: {_CRON_FORM}.", value=text)
    try:
        return next(CronSim(text.upper(), local)).timestamp()
    except CronSimError as broken:
        raise InvalidParameter("cron", f"is no cron expression ({broken}). Write {_CRON_FORM}.", value=text) from None
    except StopIteration:
        raise InvalidParameter("cron", f"never comes. Write {_CRON_FORM}.", value=text) from None
