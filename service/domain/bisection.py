"""Decides what is posted after an upstream refused a post: its halves, down to the values that are wrong (bisection).

Values are numbers, and a part is an ascending sequence of them. Parts are halved at the same places every time, so that
the same values make the same posts. One wrong value among 5,000 costs at most 27 posts.

What is refused as a whole is not asked value by value. A sensor of which 16 separate parts are refused, and none is
accepted, is refused as a whole. A batch of which 16 separate parts are refused, and none is accepted, is no matter of
single values, so the run stops.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Evidence = TypeVar("Evidence")
ENOUGH_PARTS = 16
"""So many refused parts, and none accepted, speak for all others."""
ENOUGH_VALUES = 8
"""A batch of so many values or more that are given up one by one, all of them, stops the run."""
MOST_REFUSALS = 1_000
"""The most refused posts of one batch."""
Part = Sequence[int]
Sensors = tuple[int, int]
"""The numbers of the first and the last sensor of a part. A part holds no sensor outside them."""


class Cause(StrEnum):
    """Why a value is given up. The values are codes of dead letters."""

    REFUSED = "refused"
    SENSOR_REFUSED = "sensor_refused"
    TOO_LARGE = "too_large"


class AllRefused(Exception):
    """Nothing of the batch is accepted, or too much of it is refused. `refusals`: refused posts."""

    def __init__(self, refusals: int, is_everything: bool) -> None:
        super().__init__(refusals, is_everything)
        self.refusals = refusals
        self.is_everything = is_everything


@dataclass(frozen=True)
class GivenUp(Generic[Evidence]):
    """A part that the upstream does not take, and the answer that says so."""

    part: Part
    cause: Cause
    evidence: Evidence


@dataclass
class _Node:
    """A part to post. `parent`: the refused part that it is a half of. `split`: a refused half of it stands for it."""

    part: Part
    sensors: Sensors
    parent: "_Node | None" = None
    split: bool = False

    @property
    def sensor(self) -> int | None:
        """The only sensor of the part; None: there are several."""
        return self.sensors[0] if self.sensors[0] == self.sensors[1] else None


class Bisection(Generic[Evidence]):
    """The parts of one batch that are still to be posted, in the order of `next`.

    `sensors_of` tells the sensors of a part; values are ordered by sensor. After each `next`, exactly one of `accept`,
    `refuse`, `split` and `replace` is called. The evidence that some of them take is an answer, of any form.
    """

    def __init__(self, part: Part, sensors_of: Callable[[Part], Sensors]) -> None:
        self.given_up: list[GivenUp[Evidence]] = []
        self.refusals = 0
        self._sensors_of = sensors_of
        self._pending: deque[_Node] = deque()
        self._accepted: list[Sensors] = []
        self._refused_parts = 0
        self._refused_of_sensor: Counter[int] = Counter()
        self._refused_sensors: dict[int, Evidence] = {}
        self._add(part, None)

    def next(self) -> Part | None:
        """What to post now; None: nothing is left. Raises AllRefused: all values are given up, one by one."""
        while self._pending:
            sensor = self._pending[0].sensor
            if sensor is None or sensor not in self._refused_sensors:
                return self._pending[0].part
            self._give_up(self._pending.popleft().part, Cause.SENSOR_REFUSED, self._refused_sensors[sensor])
        if not self._accepted and sum(len(given_up.part) for given_up in self.given_up) >= ENOUGH_VALUES:
            raise AllRefused(self.refusals, is_everything=True)
        return None

    def accept(self) -> None:
        """The upstream has the part."""
        self._accepted.append(self._pending.popleft().sensors)

    def replace(self, part: Part) -> None:
        """The upstream named the values of the part that it refuses. `part`, the rest, is posted in its place."""
        self._pending.popleft()
        self._count_refusal()
        self._add(part, None)

    def split(self, evidence: Evidence) -> None:
        """The part is too large: its halves are posted. A single value is given up."""
        node = self._pending.popleft()
        if len(node.part) == 1:
            self._give_up(node.part, Cause.TOO_LARGE, evidence)
        else:
            self._add_halves(node.part, node.parent)

    def refuse(self, evidence: Evidence) -> None:
        """The part holds a wrong value: its halves are posted. A single value is given up.

        Raises AllRefused.
        """
        node = self._pending.popleft()
        self._count_refusal()
        self._count_part(node, evidence)
        if len(node.part) == 1:
            self._give_up(node.part, Cause.REFUSED, evidence)
        elif node.sensor in self._refused_sensors:
            self._give_up(node.part, Cause.SENSOR_REFUSED, evidence)
        else:
            self._add_halves(node.part, node)

    def _add(self, part: Part, parent: _Node | None) -> None:
        if part:
            self._pending.append(_Node(part, self._sensors_of(part), parent))

    def _add_halves(self, part: Part, parent: _Node | None) -> None:
        middle = len(part) // 2
        self._add(part[:middle], parent)
        self._add(part[middle:], parent)

    def _give_up(self, part: Part, cause: Cause, evidence: Evidence) -> None:
        self.given_up.append(GivenUp(part, cause, evidence))

    def _count_refusal(self) -> None:
        self.refusals += 1
        if self.refusals > MOST_REFUSALS:
            raise AllRefused(self.refusals, is_everything=False)

    def _count_part(self, node: _Node, evidence: Evidence) -> None:
        """Count separate refused parts. The first refused half of a part takes its place."""
        parent = node.parent
        is_new = parent is None or parent.split
        if parent is not None:
            parent.split = True
        self._refused_parts += is_new
        if not self._accepted and self._refused_parts >= ENOUGH_PARTS:
            raise AllRefused(self.refusals, is_everything=True)
        if node.sensor is None:
            return
        self._refused_of_sensor[node.sensor] += is_new or parent is None or parent.sensor is None
        if self._refused_of_sensor[node.sensor] >= ENOUGH_PARTS and not self._has_accepted(node.sensor):
            self._refused_sensors.setdefault(node.sensor, evidence)

    def _has_accepted(self, sensor: int) -> bool:
        return any(first <= sensor <= last for first, last in self._accepted)
