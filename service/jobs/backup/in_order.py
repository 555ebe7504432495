"""Does several things at one time, and gives their outcomes in the order in which the things were given."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(threads: ThreadPoolExecutor, act: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """What `act` gives for each of `items`, of which at most `ahead` are begun. After an error no further one is."""
    rest = iter(items)
    under_way: list[Future[R]] = [threads.submit(act, item) for item in islice(rest, ahead)]
    try:
        while under_way:
            yield under_way.pop(0).result()
            under_way += [threads.submit(act, item) for item in islice(rest, 1)]
    finally:
        for future in under_way:
            future.cancel()
