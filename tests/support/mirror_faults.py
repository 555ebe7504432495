"""What goes wrong between the two buckets of a mirror, on purpose.

Stores that lie or break, and waits that take no time.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from service.domain.selection import Selection
from service.frames.frame import Block, Reading
from service.frames.points import Points
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.clock import Clock
from tests.support.mirrors import KeptContext
from tests.support.stores import Through

DAY_S = 86_400.0


class WaitingContext(KeptContext):
    """A job context whose waits take no time but that of `clock`."""

    def __init__(self, clock: Clock, interrupt: Callable[[], None] = lambda: None) -> None:
        super().__init__(interrupt)
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        self.check()
        self.slept.append(seconds)
        self._clock.now += seconds


class AltersLines(Through):
    """Acknowledges every line, and stores what `alter` makes of them."""

    def __init__(self, store: Store, alter: Callable[[list[str]], list[str]]) -> None:
        super().__init__(store)
        self._alter = alter

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        lines = points.text.decode().splitlines(keepends=True)
        altered = parse_lines("".join(self._alter(lines)).encode(), "ns", 0)
        assert altered.bad == ()
        self.store.write(bucket, altered.points, bounds)
        return WriteOutcome(len(lines))


def drops_one_point(lines: list[str]) -> list[str]:
    return lines[1:]


def cuts_nanoseconds(lines: list[str]) -> list[str]:
    return [re.sub(r" (-?\d+)\d{3}\n$", r" \g<1>000\n", line) for line in lines]


def writes_integers_as_floats(lines: list[str]) -> list[str]:
    return [re.sub(r"=(-?\d+)i(?=[, ])", r"=\1", line) for line in lines]


PLANTED = (drops_one_point, cuts_nanoseconds, writes_integers_as_floats)


class Fails(Through):
    """`before` is called with the name of each act (`read`, `write`, `delete`, and `block` within a read); it may
    raise."""

    def __init__(self, store: Store, before: Callable[[str], None]) -> None:
        super().__init__(store)
        self.before = before

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        self.before("write")
        outcome = self.store.write(bucket, points, bounds)
        self.before("written")
        return outcome

    def delete_points(self, *arguments: Any) -> None:
        self.before("delete")
        self.store.delete_points(*arguments)

    def read(self, selection: Selection) -> Reading:
        self.before("read")
        reading = self.store.read(selection)
        return Reading(reading.plan, self._blocks(reading.blocks), reading.cancel)

    def _blocks(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            yield block
            self.before("block")


def failing(*errors: Exception | None, at: str) -> Callable[[str], None]:
    """Raises these errors, one at each act named `at`, None meaning none; after them nothing more."""
    left = list(errors)

    def before(act: str) -> None:
        if act == at and left:
            error = left.pop(0)
            if error is not None:
                raise error

    return before
