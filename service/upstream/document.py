"""The port of every payload: the values of one batch, and the body of any part of them."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from service.domain.bisection import Part, Sensors
from service.transfer.dead_letters import DeadLetter

Ints = npt.NDArray[np.int64]


class Document(Protocol):
    """The items of a batch that are posted or refused each by itself, by their numbers from 0 on.

    An item is a value, or a line with several values. Items are ordered by sensor (or series).
    """

    content_type: str
    letters: list[DeadLetter]
    """Values that the payload cannot hold."""

    def __len__(self) -> int:
        """The number of items."""

    def body(self, part: Part) -> bytes:
        """The body with these items. The same values give the same bytes, in any process."""

    def values(self, part: Part) -> int:
        """How many values these items hold."""

    def sensors_of(self, part: Part) -> Sensors:
        """The numbers of the first and the last sensor of these items."""

    def dead_letters(self, part: Part, code: str, reason: str, **members: object) -> list[DeadLetter]:
        """Every value of these items, with one reason."""

    def places(self, part: Part) -> Ints:
        """For each item of the part the index at which the body holds it, as an upstream counts."""

    def named(self, part: Part, sensor: str, timestamp: str | int | None) -> Ints:
        """The positions in the part of the values of a sensor, at one time where `timestamp` names one."""
