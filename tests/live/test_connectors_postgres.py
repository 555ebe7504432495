"""Bookmarks and dead letters in a real PostgreSQL, where several machines share them."""

import time

from service.domain.forwarding import Position
from service.jobs.forward.bookmarks import Bookmarks
from service.jobs.forward.dead_letter_table import DeadLetterTable
from service.state.database import StateDatabase
from tests.support.forwarding import NOON_NS, UPSERT, ForwardRig, dead_letter
from tests.unit.jobs.forward.test_bookmarks import acceptance, must_merge_all


def test_threads_that_share_a_bookmark_lose_no_window(fresh_postgres_url: str) -> None:
    state = StateDatabase(fresh_postgres_url)
    state.migrate()
    bookmarks = Bookmarks(state, DeadLetterTable(state, time.time, 1000), time.time)
    bookmarks.begin("c", NOON_NS)
    must_merge_all(state, bookmarks)
    state.close()


def test_letters_digests_and_stops_are_kept(fresh_postgres_url: str) -> None:
    state = StateDatabase(fresh_postgres_url)
    state.migrate()
    bookmarks = Bookmarks(state, DeadLetterTable(state, time.time, 1000), time.time)
    bookmarks.begin("c", NOON_NS)
    letters = tuple(dead_letter(("s", NOON_NS + number, 1.0)) for number in range(700))
    for _ in range(2):
        bookmarks.accept("c", 0, [acceptance(0, dead_letters=letters)], 1.0)
    assert bookmarks.letters.totals("c").count == 700
    assert len(bookmarks.letters.page("c", 0, 1000)) == 700
    bookmarks.stop("c", "code", "message", "identity")
    assert bookmarks.resume("c")
    assert bookmarks.letters.clear("c") == 700
    assert bookmarks.set("c", None, "operator").position is None
    state.close()


def test_a_connector_runs_on_it(fresh_postgres_url: str) -> None:
    rig = ForwardRig(None, StateDatabase(fresh_postgres_url))  # type: ignore[arg-type]
    rig.configure(start="2026-01-01T11:00:00Z", look_back="1h", **UPSERT)
    rig.source.fill(NOON_NS - 3600 * 10**9, NOON_NS)
    rig.run_all()
    assert rig.bookmarks.get("c").position == Position(NOON_NS)
    assert len(rig.sink.accepted) == 60
    rig.state.close()
