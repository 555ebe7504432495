"""Asks a target again until it shows what was written, or until its time is over.

A target behind InfluxDB Cloud's queue shows points some time after it acknowledged them, and may lose some on the way.
"""

import math
from collections.abc import Callable
from typing import TypeVar

from service.transfer.run_control import RunControl

T = TypeVar("T")
_LOCAL_S, _REMOTE_S = 15.0, 120.0
"""How long a target may take to show points that it acknowledged.

InfluxDB Cloud acknowledges points when it has queued them (its documentation: write-data/troubleshoot)."""
_FIRST_PAUSE_S = 0.2


class ReadBack:
    """The time within which a target must show one group of writes."""

    def __init__(self, control: RunControl, clock: Callable[[], float], is_remote: bool) -> None:
        self._control = control
        self._clock = clock
        self._until = clock() + (_REMOTE_S if is_remote else _LOCAL_S)

    def ask(self, question: Callable[[], T], is_enough: Callable[[T], bool], longest_pause_s: float = math.inf) -> T:
        """The first answer that is enough, or the last one before the time was over.

        The pauses between two questions double.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            answer = question()
            if self._clock() >= self._until or is_enough(answer):
                return answer
            self._control.sleep(pause_s)
            pause_s = min(pause_s * 2, longest_pause_s)
