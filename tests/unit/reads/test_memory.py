"""Unused memory goes back after reads, soon and not for each of them."""

import threading

from service.reads.memory import MemoryReturn, give_back_unused, limit_arenas
from tests.support.waiting import until


def test_a_hundred_reads_at_once_give_back_once_or_twice() -> None:
    given_back: list[int] = []
    first = threading.Event()

    def give_back() -> None:
        given_back.append(1)
        first.set()

    memory = MemoryReturn(give_back, every_s=0.2)
    for _ in range(100):
        memory.read_ended()
    assert first.wait(5)
    until(lambda: not memory._due.is_set())
    assert len(given_back) <= 2
    memory.close()


def test_giving_back_harms_nothing() -> None:
    limit_arenas()
    give_back_unused()
