"""Too much at once is asked for in halves, and nothing of it is left out or asked for twice."""

import pytest

from service.domain.timerange import TimeRange
from service.errors import StoreBusy, StoreLimit
from service.frames.slice_digest import SliceDigest, summed
from service.transfer.retry import Retry
from service.transfer.splitting import Splitter
from tests.support.mirrors import KeptContext

WHOLE = TimeRange(0, 80)


class Store:
    """Gives no more than `most_ns` at a time: says so, or that it is busy, and notes what it gave."""

    def __init__(self, most_ns: int, error: Exception) -> None:
        self.most_ns, self.error = most_ns, error
        self.asked = 0

    def give(self, span: TimeRange) -> tuple[int, int]:
        self.asked += 1
        if span.length_ns > self.most_ns:
            raise self.error
        return span.start_ns, span.stop_ns


def splitter(context: KeptContext) -> Splitter:
    return Splitter(Retry(context, context.log), context.log)


def test_what_is_not_too_much_is_asked_for_once() -> None:
    store = Store(80, StoreLimit("Too much."))
    assert splitter(KeptContext()).call(store.give, WHOLE, 10) == [(0, 80)]
    assert store.asked == 1


def test_too_much_comes_in_halves_in_order_without_a_wait() -> None:
    context, store = KeptContext(), Store(20, StoreLimit("Too much."))
    assert splitter(context).call(store.give, WHOLE, 10) == [(0, 20), (20, 40), (40, 60), (60, 80)]
    assert context.slept == []
    assert ("warning", "Too much. Trying half as much at a time.") in context.lines


def test_who_is_told_to_wait_waits_and_then_asks_for_half() -> None:
    context, store = KeptContext(), Store(40, StoreBusy("Over the quota.", 0.01))
    assert splitter(context).call(store.give, WHOLE, 10) == [(0, 40), (40, 80)]
    assert context.slept == [0.01]


def test_pieces_begin_at_multiples_of_the_unit_and_the_smallest_is_not_cut() -> None:
    store = Store(50, StoreLimit("Too much."))
    assert splitter(KeptContext()).call(store.give, TimeRange(5, 100), 30) == [(5, 30), (30, 60), (60, 100)]
    with pytest.raises(StoreLimit):
        splitter(KeptContext()).call(Store(20, StoreLimit("Too much.")).give, WHOLE, 30)


def test_the_smallest_piece_is_asked_for_again_as_often_as_it_takes() -> None:
    context, store = KeptContext(), Store(0, StoreBusy("Over the quota.", 0.01))

    def relent(span: TimeRange) -> tuple[int, int]:
        store.most_ns = 80 if store.asked >= 6 else 0
        return store.give(span)

    assert splitter(context).call(relent, TimeRange(0, 10), 10) == [(0, 10)]
    assert len(context.slept) == 6


def test_what_pieces_have_of_one_slice_adds_up() -> None:
    one, other = SliceDigest(1, (2, 3), (4, 5)), SliceDigest(10, (20, 30), (40, 50))
    assert summed([{0: one}, {0: other, 60: one}]) == {0: SliceDigest(11, (22, 33), (44, 55)), 60: one}


def test_a_range_is_halved_ten_times_and_no_further() -> None:
    """A thousandth of a slice that is still too much is an error, not a thousand questions more."""
    spans: list[TimeRange] = []

    def refuse(span: TimeRange) -> None:
        spans.append(span)
        raise StoreLimit("Too much.")

    with pytest.raises(StoreLimit):
        splitter(KeptContext()).call(refuse, TimeRange(0, 2**20), 1)
    assert [span.length_ns for span in spans] == [2**power for power in range(20, 9, -1)]
