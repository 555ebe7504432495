"""The order of a run, out of the parameters of its job."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.domain.durations import DAY_NS
from service.domain.moments import parse_moment
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter
from service.jobs.parameters import refuse_unknown, refuse_wrong_types

_TEXTS = {"connector", "lane", "start_time", "end_time"}
_SWITCHES = {"dry_run"}


class Lane(StrEnum):
    """What a run sends: the newest windows, those before them, a range on request, or dead letters again."""

    LIVE = "live"
    BACK_FILL = "back_fill"
    REQUEST = "request"
    REPLAY = "replay"

    @property
    def by_hand(self) -> bool:
        """Whether somebody asked for it, so that it fails where the schedule would only wait."""
        return self in (Lane.REQUEST, Lane.REPLAY)


@dataclass(frozen=True)
class Order:
    """`span`: of a request. `dry_run`: say what would be sent, and send nothing."""

    connector: str
    lane: Lane = Lane.LIVE
    span: TimeRange | None = None
    dry_run: bool = False

    @property
    def exclusion_key(self) -> str:
        """Jobs of one lane of one connector never run at one time."""
        lane = Lane.REQUEST if self.lane.by_hand else self.lane
        return f"forward:{self.connector}:{lane.value}"

    @classmethod
    def of(cls, parameters: Mapping[str, Any], max_days: int) -> "Order":
        """`max_days`: the longest range of a request. Raises InvalidParameter."""
        refuse_unknown("A connector", parameters, {*_TEXTS, *_SWITCHES})
        refuse_wrong_types(parameters, _TEXTS, _SWITCHES)
        name = parameters.get("connector")
        if not isinstance(name, str):
            raise InvalidParameter("connector", "Name the connector.")
        span, lane = _request_span(parameters, max_days), lane_of(parameters)
        if (span is not None) != (lane is Lane.REQUEST):
            raise InvalidParameter("start_time", "A request has start_time and end_time, and nothing else has.")
        return cls(name, lane, span, bool(parameters.get("dry_run")))


def _request_span(parameters: Mapping[str, Any], max_days: int) -> TimeRange | None:
    """The range of a request; None: it names none.

    Raises InvalidParameter: one time without the other, an end that is not after the start, more than `max_days`.
    """
    start, end = parameters.get("start_time"), parameters.get("end_time")
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise InvalidParameter("start_time" if start is None else "end_time", "Give start_time and end_time together.")
    start_ns, stop_ns = (
        parse_moment(text, member, None, None) for text, member in ((start, "start_time"), (end, "end_time"))
    )
    if start_ns >= stop_ns:
        raise InvalidParameter("end_time", "end_time is not after start_time.")
    if stop_ns - start_ns > max_days * DAY_NS:
        raise InvalidParameter(
            "end_time",
            f"The range is longer than {max_days} days (CONNECTOR_MAX_REQUEST_DAYS). Ask for it in parts, "
            "or set the bookmark back.",
        )
    return TimeRange(start_ns, stop_ns)


def lane_of(parameters: Mapping[str, Any]) -> Lane:
    """The lane of a job with these parameters, whatever else is wrong with them. Raises InvalidParameter."""
    text = parameters.get("lane")
    if text is None:
        return Lane.LIVE if parameters.get("start_time") is None else Lane.REQUEST
    try:
        return Lane(text)
    except ValueError:
        raise InvalidParameter("lane", f"is none of {', '.join(Lane)}.", value=text) from None
