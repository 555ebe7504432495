"""Bookmarks in SQL: all of a window or nothing, never backwards by themselves, whoever writes."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.domain.forwarding import Position
from service.domain.timerange import TimeRange
from service.errors import UpstreamStopped
from service.jobs.forward.bookmarks import Acceptance, BookmarkMoved, Bookmarks
from service.jobs.forward.connector_state import NOTHING_KNOWN
from service.jobs.forward.counts import Counts
from service.jobs.forward.dead_letter_table import DeadLetterTable
from service.jobs.forward.window_digests import WindowDigest
from service.state.database import StateDatabase
from tests.support.forwarding import MINUTE_NS, NOON_NS, ForwardRig, dead_letter


def window(number: int) -> TimeRange:
    """A minute, so many minutes after noon."""
    return TimeRange(NOON_NS + number * MINUTE_NS, NOON_NS + (number + 1) * MINUTE_NS)


def acceptance(number: int, **members: object) -> Acceptance:
    return Acceptance(window(number), Counts(2, 1, 1, 1, 0), **members)  # type: ignore[arg-type]


@pytest.fixture
def bookmarks(rig: ForwardRig) -> Bookmarks:
    rig.bookmarks.begin("c", NOON_NS)
    return rig.bookmarks


def test_a_connector_that_nothing_is_known_of_has_no_bookmark(rig: ForwardRig) -> None:
    assert rig.bookmarks.get("c") == NOTHING_KNOWN


def test_the_first_bookmark_is_set_once(bookmarks: Bookmarks) -> None:
    assert bookmarks.begin("c", NOON_NS + MINUTE_NS).position == Position(NOON_NS)
    assert bookmarks.get("c").began_ns == NOON_NS


def test_what_is_accepted_is_written_with_its_counts_and_letters(bookmarks: Bookmarks) -> None:
    letters = (dead_letter(("s", NOON_NS, 1.0)),)
    state = bookmarks.accept("c", 0, [acceptance(0, dead_letters=letters), acceptance(2)], at=5.0)
    assert state == bookmarks.get("c")
    assert state.position == Position(NOON_NS + MINUTE_NS, (window(2),))
    assert (state.counts, state.accepted_at) == (Counts(4, 2, 2, 2, 0), 5.0)
    assert bookmarks.letters.totals("c").count == 1


def test_a_window_that_another_process_noted_moves_nothing_back(bookmarks: Bookmarks) -> None:
    bookmarks.accept("c", 0, [acceptance(0), acceptance(1)], 1.0)
    assert bookmarks.accept("c", 0, [acceptance(0)], 2.0).position == Position(NOON_NS + 2 * MINUTE_NS)


def test_nothing_is_written_where_there_is_no_room_for_letters(rig: ForwardRig, bookmarks: Bookmarks) -> None:
    bookmarks.letters = DeadLetterTable(rig.state, rig.clock, most=1)
    letters = tuple(dead_letter(("s", NOON_NS + number, 1.0)) for number in range(2))
    digest = WindowDigest(NOON_NS, MINUTE_NS, "x")
    with pytest.raises(UpstreamStopped):
        bookmarks.accept("c", 0, [acceptance(0, dead_letters=letters, digest=digest)], 1.0)
    state = bookmarks.get("c")
    assert (state.position, state.counts) == (Position(NOON_NS), Counts())
    assert bookmarks.letters.totals("c").count == 0
    assert bookmarks.digests.known("c", window(0), MINUTE_NS) == {}


def test_a_human_sets_the_bookmark_to_any_time_and_old_runs_move_it_no_more(bookmarks: Bookmarks) -> None:
    bookmarks.accept("c", 0, [acceptance(0), acceptance(5)], 1.0)
    for target_ns in (NOON_NS - 60 * MINUTE_NS, NOON_NS + 60 * MINUTE_NS):
        generation = bookmarks.get("c").generation
        state = bookmarks.set("c", target_ns, "operator")
        assert (state.position, state.began_ns, state.set_by) == (Position(target_ns), target_ns, "operator")
        with pytest.raises(BookmarkMoved):
            bookmarks.accept("c", generation, [acceptance(1)], 2.0)
        with pytest.raises(BookmarkMoved):
            bookmarks.live_from("c", generation, NOON_NS)
        assert bookmarks.get("c") == state


def test_a_stop_is_kept_until_it_is_resumed(bookmarks: Bookmarks) -> None:
    bookmarks.stop("c", "upstream_stopped", "The key is refused.", "identity")
    state = bookmarks.get("c")
    assert (state.is_stopped("identity"), state.is_stopped("other")) == (True, False)
    assert state.position == Position(NOON_NS)
    assert bookmarks.resume("c") is True
    assert (bookmarks.get("c").stop, bookmarks.resume("c")) == (None, False)


def test_connectors_know_nothing_of_each_other(bookmarks: Bookmarks) -> None:
    bookmarks.accept("c", 0, [acceptance(0)], 1.0)
    bookmarks.stop("c", "code", "message", "identity")
    assert bookmarks.get("d") == NOTHING_KNOWN
    bookmarks.set("d", NOON_NS, "operator")
    assert bookmarks.get("c").position == Position(NOON_NS + MINUTE_NS)


def test_many_threads_that_accept_windows_in_any_order_lose_none(rig: ForwardRig, bookmarks: Bookmarks) -> None:
    must_merge_all(rig.state, bookmarks)


def must_merge_all(state: StateDatabase, bookmarks: Bookmarks) -> None:
    """40 windows in 4 threads, each of which sees the bookmark only go forward. Raises AssertionError."""
    numbers = list(range(40))
    random.Random(1).shuffle(numbers)
    seen: dict[str, list[int]] = {}

    def accept(number: int) -> None:
        position = bookmarks.accept("c", 0, [acceptance(number)], 1.0).position
        assert position is not None
        seen.setdefault(threading.current_thread().name, []).append(position.bookmark_ns)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(accept, numbers))
    assert all(times == sorted(times) for times in seen.values())
    final = bookmarks.get("c")
    assert final.position == Position(NOON_NS + 40 * MINUTE_NS)
    assert final.counts == Counts(80, 40, 40, 40, 0)


def test_digests_are_replaced_and_forgotten(rig: ForwardRig, bookmarks: Bookmarks) -> None:
    digests = bookmarks.digests
    many = [WindowDigest(NOON_NS + number * MINUTE_NS, MINUTE_NS, f"{number}") for number in range(700)]
    for known in (many, [WindowDigest(NOON_NS, MINUTE_NS, "new")]):
        with rig.state.write() as connection:
            digests.put_on(connection, "c", known)
    assert digests.known("c", TimeRange(NOON_NS, NOON_NS + 2 * MINUTE_NS), MINUTE_NS) == {
        NOON_NS: "new",
        NOON_NS + MINUTE_NS: "1",
    }
    assert digests.known("c", window(0), 2 * MINUTE_NS) == {}, "of another length"
    bookmarks.looked_back("c", 9.0, NOON_NS + 699 * MINUTE_NS)
    assert digests.known("c", TimeRange(NOON_NS, NOON_NS + 900 * MINUTE_NS), MINUTE_NS) == {
        NOON_NS + 699 * MINUTE_NS: "699"
    }
    assert bookmarks.get("c").looked_back_at == 9.0
