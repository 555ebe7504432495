"""Random histories of two workers that serve kept answers, also stale ones, each held against what it may say.

A bucket is two numbers: how often it was changed through the gateway, and how often around it. An answer is both, at
the moment when its production began. Refreshes wait until the history lets one run, so each choice comes from one seed.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from service.cache.answers import AnswerCache, Produced
from service.cache.coordinated_producer import LOCK_S
from tests.support.caches import SharedCache
from tests.support.clock import Clock

LIFE_S, STALE_S = 10.0, 60.0
BUCKETS = ("plant", "roof")
_QUESTIONS = ("day", "week")


@dataclass(frozen=True)
class _Refresh:
    """A refresh that waits: of which answer, and since when."""

    answer: tuple[str, str, int, int]
    at: float
    act: Callable[[], None]


class AnswerHistory:
    """One random history. `step` does one thing; a read raises AssertionError when its answer says too little."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.steps = 0
        self.outcomes: dict[str, int] = {}
        self._random = random.Random(seed)
        self._clock: Clock[float] = Clock(1_000_000.0)
        self._cache = SharedCache(self._clock)
        self._waiting: list[_Refresh] = []
        self._workers = [AnswerCache(self._cache, 1_000, self._clock, in_background=self._put_off) for _ in range(2)]
        self._changes = dict.fromkeys(BUCKETS, 0)
        self._around = dict.fromkeys(BUCKETS, 0)
        self._losses = 0
        self._asked: tuple[str, str, int, int] = ("", "", 0, 0)
        self._acts = [
            (self._read, 50),
            (self._change, 6),
            (self._change_around, 10),
            (self._go_on, 25),
            (self._refresh, 15),
            (self._lose, 2),
        ]

    def close(self) -> None:
        """Run the refreshes that wait, so that none holds its lock."""
        while self._waiting:
            self._waiting.pop().act()

    def step(self) -> None:
        acts, weights = zip(*self._acts, strict=True)
        self.steps += 1
        self._random.choices(acts, weights)[0]()

    def _read(self) -> None:
        bucket, question = self._random.choice(BUCKETS), self._random.choice(_QUESTIONS)
        produce, now = partial(self._produce, bucket, question), self._clock.now
        worker = self._random.choice(self._workers)
        waiting = len(self._waiting)
        self._asked = bucket, question, self._changes[bucket], self._losses
        served = worker.serve(f"{bucket} {question}", [bucket], LIFE_S, produce, stale_s=STALE_S)
        changes, around, at = b"".join(map(bytes, served.chunks)).decode().split()
        self.outcomes[served.outcome] = self.outcomes.get(served.outcome, 0) + 1
        self._check(int(changes) == self._changes[bucket], "a change through the gateway is missing")
        self._check(now - served.age_s == float(at), "the age is not the true one")
        self._check((served.outcome == "stale") == (served.age_s > LIFE_S), f"{served.outcome} after {served.age_s} s")
        self._check(served.age_s <= LIFE_S + STALE_S, "it is too old")
        self._check(served.outcome == "stale" or len(self._waiting) == waiting, "a fresh answer is made anew")
        is_seen = served.outcome != "miss" or int(around) == self._around[bucket]
        self._check(is_seen, "a new answer lacks what changed around the gateway")

    def _put_off(self, act: Callable[[], None]) -> None:
        """A refresh that a worker began, of the answer that is being asked for. Its lock lasts a moment."""
        since = self._clock.now - LOCK_S
        is_second = any(refresh.answer == self._asked and refresh.at > since for refresh in self._waiting)
        self._check(not is_second, "an answer has two refreshes")
        self._waiting.append(_Refresh(self._asked, self._clock.now, act))

    def _produce(self, bucket: str, _question: str) -> Produced:
        content = f"{self._changes[bucket]} {self._around[bucket]} {self._clock.now}"
        return Produced({}, iter([content.encode()]), lambda: None)

    def _change(self) -> None:
        """A write, a delete or a flush through one of the workers."""
        bucket = self._random.choice(BUCKETS)
        self._changes[bucket] += 1
        self._random.choice(self._workers).invalidate(bucket)

    def _change_around(self) -> None:
        self._around[self._random.choice(BUCKETS)] += 1

    def _go_on(self) -> None:
        self._clock.now += self._random.choice([0.5, 2.0, 2.0, 8.0, 30.0])

    def _refresh(self) -> None:
        """One of the refreshes that wait, perhaps long after the answer that it is for."""
        if self._waiting:
            self._waiting.pop(self._random.randrange(len(self._waiting))).act()

    def _lose(self) -> None:
        """The cache loses an entry, or holds what is none of ours."""
        self._losses += 1
        self._random.choice([self._cache.lose_one, self._cache.spoil])(self._random)

    def _check(self, is_right: bool, finding: str) -> None:
        assert is_right, f"seed {self.seed}, step {self.steps}: {finding}"
