"""An observed store tells each change exactly once, with what it touched, whatever became of it; reads tell nothing."""

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cache.answers import AnswerCache
from service.cache.memory import MemoryCache
from service.cache.single_flight import Produced
from service.domain.bucket_details import BucketDetails, Label
from service.domain.schema import BucketSpec
from service.domain.selection import Selection, Windows, plan_read
from service.domain.series import SeriesKey
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange
from service.errors import StoreTimeout, UnknownBucket
from service.frames.points import Points
from service.stores.embedded.store import EmbeddedStore
from service.stores.observed import BucketChange, ChangeListener, ObservedStore, ranges_of
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.embedded_stores import BUCKET, NOON, floats, points, store_with_bucket

WINDOWED = Selection(BUCKET, TimeRange(NOON, NOON + 10), Windows(5))
TELL_NOTHING: dict[str, Callable[[Store], object]] = {
    "buckets": lambda store: store.buckets(),
    "bucket": lambda store: store.bucket(BUCKET),
    "first_point": lambda store: store.first_point(BUCKET),
    "last_point": lambda store: store.last_point(BUCKET),
    "schema": lambda store: store.schema(BUCKET),
    "tag_values": lambda store: store.tag_values(BUCKET, "host", ()),
    "read": lambda store: store.read(Selection(BUCKET, EVER)).cancel(),
    "window_order": lambda store: store.window_order(WINDOWED, plan_read(WINDOWED, store.schema(BUCKET))),
    "count_points": lambda store: store.count_points(BUCKET, ["m"], TimeRange(NOON, NOON + 10), 10),
    "latest": lambda store: store.latest(BUCKET, TimeRange(NOON, NOON + 10), "m"),
    "ping": lambda store: store.ping(),
    "server": lambda store: store.server(),
    "bucket_details": lambda store: store.bucket_details(BUCKET),
    "add_bucket_details": lambda store: store.add_bucket_details(BUCKET, BucketDetails((Label("plant"),))),
}
CHANGES: dict[str, tuple[Callable[[Store], object], BucketChange]] = {
    "create_bucket": (lambda store: store.create_bucket(BucketSpec("new")), BucketChange("new", (EVER,))),
    "update_bucket": (lambda store: store.update_bucket(BUCKET, "meters", 0), BucketChange(BUCKET, (EVER,))),
    "write": (
        lambda store: store.write(BUCKET, points(f"m f=1 {NOON + 30}\nm f=1 {NOON}\nm f=1 {NOON + 20}\n")),
        BucketChange(BUCKET, (TimeRange(NOON, NOON + 31),)),
    ),
    "delete_points": (
        lambda store: store.delete_points(BUCKET, SeriesKey("m"), TimeRange(NOON, NOON + 5)),
        BucketChange(BUCKET, (TimeRange(NOON, NOON + 5),)),
    ),
}


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = store_with_bucket(tmp_path)
    yield store
    store.close()


class StoresAndFails:
    """A store that keeps what it is given and then gives no answer, as one behind a link that breaks."""

    name = "embedded"

    def __init__(self, store: Store) -> None:
        self._store = store

    def create_bucket(self, spec: BucketSpec) -> bool:
        self._store.create_bucket(spec)
        raise StoreTimeout("no answer")

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        self._store.update_bucket(name, description, retention_ns)
        raise StoreTimeout("no answer")

    def write(self, bucket: str, batch: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        self._store.write(bucket, batch, bounds)
        raise StoreTimeout("no answer")

    def delete_points(self, bucket: str, series: SeriesKey, span: TimeRange) -> None:
        self._store.delete_points(bucket, series, span)
        raise StoreTimeout("no answer")


def observed(store: Any) -> tuple[ObservedStore, list[BucketChange]]:
    changes: list[BucketChange] = []
    return ObservedStore(store, [changes.append]), changes


def test_every_method_of_the_port_tells_nothing_or_a_change() -> None:
    """A method that is added to the port has to be added here, and so to be told or not on purpose."""
    methods = {name for name, member in vars(Store).items() if inspect.isfunction(member) and not name.startswith("_")}
    assert methods == {*TELL_NOTHING, *CHANGES, "close"}
    assert all(name in vars(ObservedStore) for name in methods)


@pytest.mark.parametrize("method", TELL_NOTHING)
def test_a_method_that_changes_no_answer_tells_nothing(embedded: EmbeddedStore, method: str) -> None:
    store, changes = observed(embedded)
    TELL_NOTHING[method](store)
    assert changes == []


@pytest.mark.parametrize("method", CHANGES)
def test_a_change_is_told_once_with_what_it_touched(embedded: EmbeddedStore, method: str) -> None:
    store, changes = observed(embedded)
    act, change = CHANGES[method]
    act(store)
    assert changes == [change]


@pytest.mark.parametrize("method", CHANGES)
def test_a_change_whose_outcome_is_unknown_is_told_once(embedded: EmbeddedStore, method: str) -> None:
    store, changes = observed(StoresAndFails(embedded))
    act, change = CHANGES[method]
    with pytest.raises(StoreTimeout):
        act(store)
    assert changes == [change]


def test_a_bucket_that_is_there_already_is_told_too(embedded: EmbeddedStore) -> None:
    store, changes = observed(embedded)
    assert store.create_bucket(BucketSpec(BUCKET)) is False
    assert changes == [BucketChange(BUCKET, (EVER,))]


def test_a_write_that_is_partly_refused_tells_all_of_its_times(embedded: EmbeddedStore) -> None:
    store, changes = observed(embedded)
    outcome = store.write(BUCKET, points(f"m f=1 {NOON}\nm f=2i {NOON + 7}\n"))
    assert (outcome.stored, outcome.refused_count) == (1, 1)
    assert changes == [BucketChange(BUCKET, (TimeRange(NOON, NOON + 8),))]


def test_a_write_that_a_bound_ends_is_told(embedded: EmbeddedStore) -> None:
    def over() -> None:
        raise TimeoutError

    store, changes = observed(embedded)
    with pytest.raises(TimeoutError):
        store.write(BUCKET, points(f"m f=1 {NOON}\n"), WriteBounds(over))
    assert changes == [BucketChange(BUCKET, (TimeRange(NOON, NOON + 1),))]


def test_a_write_to_a_bucket_that_is_not_there_is_told(embedded: EmbeddedStore) -> None:
    store, changes = observed(embedded)
    with pytest.raises(UnknownBucket):
        store.write("nowhere", points(f"m f=1 {NOON}\n"))
    assert [change.bucket for change in changes] == ["nowhere"]


def test_a_write_of_no_points_touches_no_time(embedded: EmbeddedStore) -> None:
    store, changes = observed(embedded)
    store.write(BUCKET, points(""))
    assert changes == [BucketChange(BUCKET, ())]


def test_the_outermost_times_fit_in_a_range(embedded: EmbeddedStore) -> None:
    store, changes = observed(embedded)
    store.write(BUCKET, points(f"m f=1 {EARLIEST_NS}\nm f=1 {LATEST_NS}\n"))
    assert changes == [BucketChange(BUCKET, (EVER,))]


def test_listeners_are_called_when_the_change_can_be_read(embedded: EmbeddedStore) -> None:
    seen: list[int | None] = []
    store = ObservedStore(embedded, [lambda _: seen.append(embedded.last_point(BUCKET))])
    store.write(BUCKET, points(f"m f=1 {NOON}\n"))
    assert seen == [NOON]


def test_a_listener_that_fails_keeps_no_other_from_hearing_and_is_not_swallowed(embedded: EmbeddedStore) -> None:
    changes: list[BucketChange] = []

    def broken(change: BucketChange) -> None:
        raise RuntimeError(f"no listener for {change.bucket}")

    listeners: list[ChangeListener] = [changes.append, broken, changes.append]
    with pytest.raises(RuntimeError, match="no listener for"):
        ObservedStore(embedded, listeners).write(BUCKET, points(f"m f=1 {NOON}\n"))
    assert len(changes) == 2
    assert embedded.last_point(BUCKET) == NOON


@pytest.mark.parametrize("fails", [False, True], ids=["acknowledged", "outcome unknown"])
def test_a_read_that_began_before_a_write_is_no_answer_after_it(embedded: EmbeddedStore, fails: bool) -> None:
    answers = AnswerCache(MemoryCache(1_000_000, time.monotonic), 1_000, time.time)
    inner = StoresAndFails(embedded) if fails else embedded
    store = ObservedStore(inner, [lambda change: answers.invalidate(change.bucket)])  # type: ignore[arg-type]
    go_on, has_read = threading.Event(), threading.Event()

    def slow() -> Produced:
        newest = embedded.last_point(BUCKET)
        has_read.set()
        assert go_on.wait(10)
        return Produced({}, iter([str(newest).encode()]), lambda: None)

    def quick() -> Produced:
        return Produced({}, iter([str(embedded.last_point(BUCKET)).encode()]), lambda: None)

    def read(produce: Callable[[], Produced]) -> bytes:
        return b"".join(map(bytes, answers.serve("k", [BUCKET], 60, produce).chunks))

    early: list[bytes] = []
    reader = threading.Thread(target=lambda: early.append(read(slow)))
    reader.start()
    assert has_read.wait(10)
    try:
        store.write(BUCKET, points(f"m f=1 {NOON}\n"))
    except StoreTimeout:
        assert fails
    go_on.set()
    reader.join(10)
    assert early == [b"None"]
    assert read(quick) == str(NOON).encode()


HOUR_NS = 3_600_000_000_000


def test_a_late_point_among_new_ones_does_not_touch_the_time_between(embedded: EmbeddedStore) -> None:
    store, changes = observed(embedded)
    late = NOON - 72 * HOUR_NS
    store.write(BUCKET, points(f"m f=1 {NOON}\nm f=1 {late}\nm f=1 {NOON - 1}\n"))
    (change,) = changes
    assert [any(span.start_ns <= time < span.stop_ns for span in change.ranges) for time in (late, NOON - 1, NOON)] == [
        True,
        True,
        True,
    ]
    assert sum(span.length_ns for span in change.ranges) < HOUR_NS


@given(
    st.lists(st.integers(EARLIEST_NS, LATEST_NS), min_size=1, max_size=60)
    | st.lists(st.integers(NOON, NOON + 900 * HOUR_NS), min_size=1, max_size=60)
)
def test_every_time_of_a_write_is_in_a_range_and_ranges_are_few(times: list[int]) -> None:
    ranges = ranges_of(floats("m", 1, times))
    assert all(any(span.start_ns <= time < span.stop_ns for span in ranges) for time in times)
    assert len(ranges) <= 16
    assert (ranges[0].start_ns, ranges[-1].stop_ns) == (min(times), max(times) + 1)


def test_times_that_no_store_can_hold_divide_nothing() -> None:
    ranges = ranges_of(floats("m", 1, [EARLIEST_NS - 1, EARLIEST_NS + 2 * HOUR_NS]))
    assert (ranges[0].start_ns, ranges[-1].stop_ns) == (EARLIEST_NS, EARLIEST_NS + 2 * HOUR_NS + 1)
