"""Random histories of kept and stale answers: whatever is served says what it is, and lacks no change of our own.

Each bug that is planted here is found by the same histories.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.cache import answers, coordinated_producer
from service.cache.answers import AnswerCache
from service.cache.generations import Generations
from service.cache.refreshes import Refreshes
from tests.support.answer_model import AnswerHistory
from tests.support.caches import SharedCache


@pytest.fixture
def history() -> Iterator[Callable[[int], AnswerHistory]]:
    begun: list[AnswerHistory] = []

    def begin(seed: int) -> AnswerHistory:
        begun.append(AnswerHistory(seed))
        return begun[-1]

    yield begin
    for played in begun:
        played.close()


@pytest.mark.parametrize("seed", [401, 402])
def test_a_stale_answer_is_never_of_before_a_change_of_our_own(
    history: Callable[[int], AnswerHistory], seed: int
) -> None:
    played = history(seed)
    for _ in range(5_000):
        played.step()
    print(f"seed {seed}: {played.outcomes}")
    assert min(played.outcomes[outcome] for outcome in ("hit", "stale", "miss")) > 100


def _without_end(*parts: Any) -> bytes:
    made_at, headers, chunks, _ = parts
    return _PACK(made_at, headers, chunks)


def _without_lock(cache: SharedCache, key: str, ttl_s: float) -> str | None:
    return "granted" if key.endswith(":refresh") else _LOCK(cache, key, ttl_s)


_PACK, _LOCK = coordinated_producer.pack, SharedCache.lock
Planted = Callable[[pytest.MonkeyPatch], None]
BUGS: dict[str, Planted] = {
    "a change is not noted": lambda patch: patch.setattr(Generations, "invalidate", lambda *_: None),
    "the state of the bucket is not part of the name": lambda patch: patch.setattr(
        answers, "_name", lambda key, _: key
    ),
    "an old answer passes for a fresh one": lambda patch: patch.setattr(coordinated_producer, "pack", _without_end),
    "an old answer passes for a new one": lambda patch: patch.setattr(AnswerCache, "_age_s", lambda *_: 0.0),
    "each worker makes a stale answer anew": lambda patch: patch.setattr(SharedCache, "lock", _without_lock),
    "a fresh answer is made anew": lambda patch: patch.setattr(
        AnswerCache, "_kept", _refreshing_always(AnswerCache._kept)
    ),
}


def _refreshing_always(original: Callable[..., Any]) -> Callable[..., Any]:
    def kept(cache: AnswerCache, *rest: Any) -> Any:
        cache._refreshes.begin(repr(rest), lambda: True)
        return original(cache, *rest)

    return kept


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(
    history: Callable[[int], AnswerHistory], bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    BUGS[bug](monkeypatch)
    played = history(401)
    with pytest.raises(AssertionError, match="seed 401, step"):
        for _ in range(5_000):
            played.step()
    print(f"{bug}: found at step {played.steps}")


def test_a_refresh_that_fails_is_not_tried_for_each_request() -> None:
    begun: list[int] = []

    def failing() -> bool:
        begun.append(1)
        raise ValueError("no store")

    refreshes = Refreshes(SharedCache(), lambda act: act())
    for _ in range(10):
        refreshes.begin("answer", failing)
    assert begun == [1]


def test_few_refreshes_run_at_one_time() -> None:
    waiting: list[Callable[[], None]] = []
    refreshes = Refreshes(SharedCache(), waiting.append)
    for number in range(10):
        refreshes.begin(f"answer {number}", lambda: True)
    assert len(waiting) == 4
    for act in waiting[:]:
        act()
    refreshes.begin("answer 9", lambda: True)
    assert len(waiting) == 5
    waiting[-1]()
