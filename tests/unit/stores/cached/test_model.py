"""Random histories: whatever happens to bucket, clock and cache, a cached answer is byte for byte the store's own.

20,000 steps on a plain store, some on the embedded one. Each bug that is planted here is found by the same histories.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from service.domain import window_blocks
from service.domain.selection import Fn, Stamp
from service.domain.timerange import TimeRange
from service.stores.cached import kept_windows, rows, tasks
from service.stores.cached.changes import Changes
from service.stores.cached.kept_windows import KeptWindows
from service.stores.cached.lateness import Lateness
from service.stores.cached.limits import CacheLimits
from tests.support.cache_model import HOUR_NS, History, embedded


@pytest.fixture
def history() -> Iterator[Callable[..., History]]:
    begun: list[History] = []

    def begin(seed: int, *store: Any, **options: Any) -> History:
        begun.append(History(seed, *store, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


@pytest.mark.parametrize("seed", [101, 102, 103, 104])
def test_every_cached_answer_is_the_one_of_the_store(history: Callable[..., History], seed: int) -> None:
    played = history(seed)
    for _ in range(5_000):
        played.step()
    print(f"seed {seed}: {played.outcomes}")
    assert min(played.outcomes[outcome] for outcome in ("hit", "partial", "miss")) > 50


@pytest.mark.parametrize("seed", [201, 202])
def test_every_cached_answer_is_the_one_of_the_embedded_store(history: Callable[..., History], seed: int) -> None:
    played = history(seed, embedded)
    for _ in range(1_500):
        played.step()
    print(f"seed {seed}: {played.outcomes}")
    assert min(played.outcomes[outcome] for outcome in ("hit", "partial", "miss")) > 10


def test_points_with_their_own_times_are_kept_like_rows_of_windows(history: Callable[..., History]) -> None:
    played = history(203, embedded, fns=[Fn.M4])
    for _ in range(600):
        played.step()
    print(f"seed 203: {played.outcomes}")
    assert min(played.outcomes[outcome] for outcome in ("hit", "partial", "miss")) > 5


def _other_key(drop: int) -> Callable[..., str]:
    """The key without one of its parts: 1 the id of the bucket, 2 the filters, 3 the windows, 4 the settle time."""

    def key(*parts: Any) -> str:
        selection = parts[2]
        filters = selection.measurements, selection.fields, selection.tags
        kept = [parts[0], parts[1], filters, selection.windows, parts[3]]
        return repr([part for place, part in enumerate(kept) if place != drop])

    return key


def _without_stop(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda frame, ranges, _stamp: original(frame, ranges, Stamp.START)


def _without_forgetting(lateness: Lateness, late_ns: Mapping[str, int]) -> None:
    lateness._late_ns = late_ns


Planted = Callable[[pytest.MonkeyPatch], None]
BUGS: dict[str, Planted] = {
    "unsettled windows are kept": lambda patch: patch.setattr(CacheLimits, "settle_of", lambda *_: -HOUR_NS),
    "an empty tail is kept": lambda patch: patch.setattr(KeptWindows, "_moment_ns", HOUR_NS),
    "rows on the edge of a range belong to the wrong side": lambda patch: patch.setattr(
        kept_windows, "cut", _without_stop(rows.cut)
    ),
    "a change is not noted": lambda patch: patch.setattr(Changes, "note", lambda *_: None),
    "windows of another length or phase are used": lambda patch: patch.setattr(tasks, "windows_key", _other_key(3)),
    "points are later than the settle time": lambda patch: patch.setattr(
        CacheLimits, "settle_of", lambda limits, _: limits.settle_ns
    ),
    "windows of before the points were that late are used": lambda patch: patch.setattr(
        tasks, "windows_key", _other_key(4)
    ),
    "windows of before the points were in time again are used": lambda patch: patch.setattr(
        Lateness, "put", _without_forgetting
    ),
    "a bucket that was made again has the windows of the old one": lambda patch: patch.setattr(
        tasks, "windows_key", _other_key(1)
    ),
    "filters are not part of the key": lambda patch: patch.setattr(tasks, "windows_key", _other_key(2)),
    "windows stay when the retention has passed over them": lambda patch: patch.setattr(
        window_blocks, "RETENTION_MARGIN_NS", -400 * HOUR_NS
    ),
    "half a window is kept": lambda patch: patch.setattr(window_blocks, "whole_windows", lambda span, _: span),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(history: Callable[..., History], bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[bug](monkeypatch)
    played = history(102)
    with pytest.raises(AssertionError, match="seed 102, step"):
        for _ in range(5_000):
            played.step()
    print(f"{bug}: found at step {played.steps}")


def test_changes_that_are_lost_with_the_cache_are_never_taken_for_none(history: Callable[..., History]) -> None:
    """The windows of a bucket outlive its map of changes: then they say nothing."""
    played = history(301)
    played.workers[0].changes.note("plant", [TimeRange(0, 1)])
    before = played.workers[0].changes.stamp("plant")
    played.workers[0].changes._cache.close()
    after = played.workers[1].changes.stamp("plant")
    assert before is not None
    assert after is not None
    assert before.identity != after.identity
