"""Keys of posts, the pace of values, and posts of several threads at one time."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.timerange import TimeRange
from service.errors import UpstreamUnavailable
from service.upstream.gate import Gate
from service.upstream.posting import key_of
from service.upstream.sink import HttpSink
from tests.support.recording_upstream import Faults, recording_upstream
from tests.support.run_controls import ClockedControl
from tests.support.upstream_batches import batch_of, configured, expected, readings

OpenSink = Callable[..., HttpSink]
HOUR_NS = 3_600_000_000_000


def test_a_key_is_the_same_in_any_process() -> None:
    code = "from service.upstream.posting import key_of; print(key_of('plant', -1, 5, b'{}'))"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert other.stdout.strip() == key_of("plant", -1, 5, b"{}") == "9ae69bc8a0286d1f6c5f2d1ab0348e89"


@given(
    st.lists(
        st.tuples(st.text(max_size=3), st.integers(-9, 9), st.integers(-9, 9), st.binary(max_size=3)),
        min_size=2,
        max_size=2,
    )
)
def test_other_connectors_windows_and_bytes_have_other_keys(parts: list[tuple[str, int, int, bytes]]) -> None:
    first, second = (key_of(*part) for part in parts)
    assert (first == second) == (parts[0] == parts[1])


def keys_of(sink_for: OpenSink, rows: int, window: TimeRange, **members: object) -> list[str]:
    with recording_upstream() as upstream:
        sink_for(configured(upstream.url, **members)).deliver(batch_of(readings(rows), window))
        return [request.key for request in upstream.requests]


def test_the_same_batch_has_the_same_keys_and_changed_values_have_others(sink_for: OpenSink) -> None:
    first, second = TimeRange(0, HOUR_NS), TimeRange(HOUR_NS, 2 * HOUR_NS)
    keys = keys_of(sink_for, 500, first)
    assert keys == keys_of(sink_for, 500, first) == keys_of(sink_for, 500, first, gzip=True)
    assert keys != keys_of(sink_for, 499, first)
    assert keys != keys_of(sink_for, 500, second)


def test_parts_of_a_batch_have_keys_of_their_own_that_stay(sink_for: OpenSink) -> None:
    window = TimeRange(0, HOUR_NS)
    keys = keys_of(sink_for, 500, window, max_bytes=5_000)
    assert len(set(keys)) == len(keys) > 4
    assert keys == keys_of(sink_for, 500, window, max_bytes=5_000)


def test_values_a_second_are_bounded_over_all_threads() -> None:
    control = ClockedControl()
    gate = Gate(4, 100.0, control, control.clock)
    started = control.now
    for _ in range(10):
        with gate.passed(50):
            pass
    assert control.now - started == pytest.approx(3.5), "500 values less those of the last post and one free second"


def test_while_the_upstream_asks_to_wait_no_post_passes() -> None:
    control = ClockedControl()
    gate = Gate(1, None, control, control.clock)
    gate.close_for(30.0)
    gate.close_for(10.0)
    with gate.passed(1):
        assert control.sleeps == [30.0]


def test_at_most_so_many_posts_are_under_way(sink_for: OpenSink) -> None:
    with recording_upstream(faults=Faults(slow=1, slow_s=0.05)) as upstream:
        sink = sink_for(configured(upstream.url, in_flight=2))
        batches = [batch_of(readings(20, start_ns=number * HOUR_NS), number=number) for number in range(8)]
        with ThreadPoolExecutor(6) as threads:
            delivered = list(threads.map(sink.deliver, batches))
        assert upstream.busiest <= 2
        assert upstream.values == {
            value for number in range(8) for value in expected(readings(20, start_ns=number * HOUR_NS))
        }
    assert sum(result.accepted for result in delivered) == 160
    assert sum(result.posts for result in delivered) == 8


def test_a_wait_for_a_slot_ends_with_the_run() -> None:
    control = ClockedControl()
    gate = Gate(1, None, control, time.monotonic)
    with gate.passed(1), ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(gate.passed(1).__enter__)
        control.end()
        assert waiting.exception(timeout=60) is not None


def test_threads_share_faults_without_losing_a_value(sink_for: OpenSink) -> None:
    faults = Faults(errors=0.2, lost_replies=0.1, resets=0.1)
    lock, left = threading.Lock(), list(range(12))

    def deliver_all(sink: HttpSink) -> None:
        while True:
            with lock:
                if not left:
                    return
                number = left.pop()
            try:
                sink.deliver(batch_of(readings(50, start_ns=number * HOUR_NS), number=number))
            except UpstreamUnavailable:
                with lock:
                    left.append(number)

    with recording_upstream(faults=faults, seed=1) as upstream:
        sink = sink_for(configured(upstream.url, in_flight=3))
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(deliver_all, [sink] * 3))
        sent = {value for number in range(12) for value in expected(readings(50, start_ns=number * HOUR_NS))}
        assert not upstream.missing(sent)
        assert not upstream.repeats_under_other_keys()


def test_times_of_sent_posts_follow_each_other() -> None:
    """The pace counts what is sent again, too: a broken upstream does not get more than the rate."""
    control = ClockedControl()
    gate = Gate(1, 10.0, control, control.clock)
    moments = []
    for _ in range(5):
        with gate.passed(10):
            moments.append(control.now)
    assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx([0.0, 1.0, 1.0, 1.0])
