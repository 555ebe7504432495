"""Two embedded stores with a bucket each, and a mirror between them whose clock stands still."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.domain.job import Json
from service.domain.schema import BucketSpec
from service.stores.embedded.store import EmbeddedStore
from service.stores.protocol import Store
from tests.support.clock import Clock
from tests.support.mirror_faults import WaitingContext
from tests.support.mirrors import A, B, KeptContext, Rig, digests
from tests.support.rows import store_all
from tests.support.stores import embedded_store

NOON = 1_780_056_000.0


class Stage(Rig):
    """A rig between two embedded stores `a` and `b`. The bucket is `W`.

    The time is noon of 2026-05-29; only `wait` and the waits of runs move it."""

    def __init__(self, folder: Path, a: Store, b: Store) -> None:
        super().__init__(folder, {A: a, B: b})
        self.a, self.b = a, b
        self.time = Clock(NOON)
        self.clock = self.time

    @property
    def now_ns(self) -> int:
        return int(self.time.now * 1e9)

    def at(self, days: float = 0.0, ns: int = 0) -> int:
        """So many days from now."""
        return self.now_ns + int(days * 86_400) * 1_000_000_000 + ns

    def wait(self, days: float) -> None:
        self.time.now += days * 86_400

    def run(self, context: KeptContext | None = None, **parameters: Any) -> Json:
        return super().run(context or self.context(), **parameters)

    def context(self, interrupt: Callable[[], None] = lambda: None) -> WaitingContext:
        return WaitingContext(self.time, interrupt)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stores: list[EmbeddedStore] = [embedded_store(tmp_path / name) for name in ("a", "b")]  # type: ignore[misc]
    for store in stores:
        store.create_bucket(BucketSpec("W"))
    made = Stage(tmp_path, *stores)
    made.configure(buckets=["W"])
    yield made
    for store in stores:
        store.close()
    made.state.close()


def equal(stage: Stage, source: str = "W", target: str = "W") -> bool:
    return digests(stage.a, source) == digests(stage.b, target)


def fill(stage: Stage, days: int = 20) -> int:
    """A point of a float and an integer every six hours; how many values."""
    lines = [f"cpu,host=h{step % 3} u={step}.5,n={step}i {stage.at(-step / 4)}" for step in range(days * 4)]
    store_all(stage.a, "W", "\n".join(lines))
    return len(lines) * 2
