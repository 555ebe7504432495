"""When a schedule fires: by a cron expression in a time zone, or every so often.

Pure arithmetic on seconds since 1970. In the hour that a clock change repeats, a fixed time fires
once; in the hour that it leaves out, the time fires when that hour would have ended.
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
"""A tick that is found later than this was missed: nobody was there to fire it."""
_INTERVAL = re.compile(r"([0-9]{2,4}):([0-5][0-9]):([0-5][0-9])", re.ASCII)
_CRON_FORM = "minute hour day-of-month month day-of-week, such as `0 * * * *` (hourly) or `30 2 * * MON-FRI`"


class Missed(StrEnum):
    """What becomes of ticks that passed while nothing ran: fire once for all of them, or leave them out."""

    RUN_ONCE = "run_once"
    SKIP = "skip"


@dataclass(frozen=True)
class Schedule:
    """What to run, and when: exactly one of `cron` (in `zone`) and `every` (`HH:MM:SS`, on the grid from 1970-01-01 UTC).

    `at_start`: also once whenever a scheduler starts. Raises InvalidParameter when it cannot be read.
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
            raise InvalidParameter("cron", f"The schedule {self.name!r} needs either cron ({_CRON_FORM}) or every (HH:MM:SS), and not both.")
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
    """What to do at a tick. `fire` false: it was missed, and is left out by policy."""

    fire: bool
    next_run: float


def due(schedule: Schedule, next_run: float, now: float) -> Due | None:
    """What to do at `now` about the tick `next_run`; None before it. Many missed ticks fire once at most."""
    if now < next_run:
        return None
    left_out = schedule.missed is Missed.SKIP and now - next_run > LATE_S
    return Due(not left_out, schedule.next_after(now))


def parse_interval(text: str, parameter: str) -> int:
    """Seconds of `HH:MM:SS`, at least one. Raises InvalidParameter."""
    found = _INTERVAL.fullmatch(text)
    seconds = 0 if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
    if seconds == 0:
        finding = "is not an interval. Write HH:MM:SS, at least 00:00:01: 00:10:00 is ten minutes."
        raise InvalidParameter(parameter, finding, value=text)
    return seconds


def next_cron(text: str, zone: str, moment: float) -> float:
    """The first time after `moment` that `text` names in `zone`. Raises InvalidParameter."""
    try:
        local = dt.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidParameter("zone", f"zone={zone!r} is no time zone. Write a name such as UTC or Europe/Berlin.") from None
    if len(text.split()) != 5:
        raise InvalidParameter("cron", f"is no cron expression. Write five parts: {_CRON_FORM}.", value=text)
    try:
        return next(CronSim(text.upper(), local)).timestamp()
    except CronSimError as broken:
        raise InvalidParameter("cron", f"is no cron expression ({broken}). Write {_CRON_FORM}.", value=text) from None
    except StopIteration:
        raise InvalidParameter("cron", f"never comes. Write {_CRON_FORM}.", value=text) from None
