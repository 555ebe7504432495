"""How much work a call does, counted instead of timed: the same on every machine, however busy it is.

Counted are the lines of Python that run, the calls into C, and the bytes that searches and copies of a body look at.
What a single regular expression or a numpy function does inside is not seen; `bench/parsing.py` times those.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, FunctionType
from typing import Any, Self, SupportsIndex


@dataclass
class Work:
    """`steps`: lines of Python and calls into C. `body_bytes`: bytes of a `CountedBody` that were looked at."""

    steps: int = 0
    body_bytes: int = 0


class CountedBody(bytes):
    """Bytes that count how many of them are searched and copied. A longer copy of it counts on."""

    work: Work

    @classmethod
    def of(cls, text: bytes, work: Work) -> Self:
        body = cls(text)
        body.work = work
        return body

    def find(self, sub: Any, start: Any = None, end: Any = None, /) -> int:
        position = super().find(sub, start, end)
        self._count(slice(start, end if position < 0 else position + 1))
        return position

    def count(self, sub: Any, start: Any = None, end: Any = None, /) -> int:
        self._count(slice(start, end))
        return super().count(sub, start, end)

    def isascii(self) -> bool:
        self.work.body_bytes += len(self)
        return super().isascii()

    def __add__(self, other: Any, /) -> "CountedBody":
        self.work.body_bytes += len(self)
        return CountedBody.of(super().__add__(other), self.work)

    def __getitem__(self, key: SupportsIndex | slice, /) -> Any:
        if isinstance(key, slice):
            self._count(key)
        return super().__getitem__(key)

    def _count(self, part: slice) -> None:
        start, stop, _ = part.indices(len(self))
        self.work.body_bytes += max(stop - start, 0)


def work_on(body: bytes, act: Callable[[bytes], object]) -> Work:
    """What `act` does with `body`, in this thread."""
    work = Work()
    counted = CountedBody.of(body, work)
    work.steps = steps_of(lambda: act(counted))
    return work


def steps_of(act: Callable[[], object]) -> int:
    """How many lines of Python `act` runs and calls into C it makes, in this thread."""
    steps, tracer = 0, sys.gettrace()

    def on_line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal steps
        steps += event == "line"
        return None if frame.f_code.co_filename == __file__ else on_line

    def on_call(frame: FrameType, event: str, argument: object) -> None:
        nonlocal steps
        steps += event == "c_call"

    sys.settrace(on_line)
    try:
        _profiled(on_call, act)
    finally:
        sys.settrace(tracer)
    return steps


def calls_of(function: FunctionType, act: Callable[[], object]) -> list[dict[str, Any]]:
    """The arguments of each call of `function` while `act` runs in this thread."""
    calls: list[dict[str, Any]] = []

    def on_call(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is function.__code__:
            calls.append(dict(frame.f_locals))

    _profiled(on_call, act)
    return calls


def _profiled(on_call: Callable[[FrameType, str, object], None], act: Callable[[], object]) -> None:
    profiler = sys.getprofile()
    sys.setprofile(on_call)
    try:
        act()
    finally:
        sys.setprofile(profiler)
