"""Notices a connector that counts windows of the future as accepted, as after a clock that stood too far ahead.

Their values are never sent when they come. Only a human knows where the upstream's values end.
"""

from service.domain.forwarding import Position
from service.domain.timerange import format_time
from service.jobs.forward.connector import Start

_CLOCKS_DIFFER_NS = 60 * 10**9
"""So much the clocks of two machines may differ without a word."""


def future_warning(name: str, position: Position | None, start: Start, now_ns: int) -> str | None:
    """What is wrong with the position of the connector `name`, and what to do; None: nothing.

    A connector whose configured `start` lies in the future waits for it on purpose.
    """
    if position is None or position.newest_ns <= now_ns + _CLOCKS_DIFFER_NS or position.newest_ns == start:
        return None
    newest = format_time(position.newest_ns)
    return (
        f"Everything up to {newest} counts as accepted, and that is in the future: a clock stood too far ahead. "
        "Values before it may never be sent. Check the clocks of all gateways and workers. Then set the bookmark to "
        f"where the upstream's values end: `fluxgate connector bookmark {name} TIME`."
    )
