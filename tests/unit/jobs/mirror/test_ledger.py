"""What a mirror knows, on SQLite and on PostgreSQL: kept exactly, forgotten when it means nothing any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.jobs.mirror.ledger import PairLedger, PairState, SliceTotals, pairs_of
from service.state.database import StateDatabase

DAY = 86_400_000_000_000
FIRST = EARLIEST_NS - EARLIEST_NS % DAY
LAST = LATEST_NS - LATEST_NS % DAY


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateDatabase]:
    local = request.param == "sqlite"
    made = (
        StateDatabase.in_directory(tmp_path) if local else StateDatabase(request.getfixturevalue("fresh_postgres_url"))
    )
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def ledger(database: StateDatabase) -> PairLedger:
    opened = PairLedger(database, "m", "W", "W")
    opened.open("same", DAY)
    return opened


def record(start_ns: int, state: SliceState = SliceState.EQUAL, points: int = 5, rejected: int = 0) -> SliceRecord:
    return SliceRecord(start_ns, state, points, f"{points}:aa", f"{points}:bb", "cc", rejected, 1_700_000_000.25, None)


def test_a_pair_that_is_new_knows_nothing(database: StateDatabase) -> None:
    ledger = PairLedger(database, "m", "W", "W")
    assert ledger.open("same", DAY) == PairState(None, None, 0)
    assert ledger.records() == {}


def test_records_come_back_as_they_were_put(ledger: PairLedger) -> None:
    records = [
        record(-DAY),
        record(0, SliceState.PARTIAL, 2**62, 3),
        record(DAY, SliceState.EXTRA),
        record(2 * DAY, SliceState.DIFFERENT),
    ]
    ledger.put(records)
    assert list(ledger.records().values()) == records


def test_the_slice_of_the_first_instant_and_that_of_the_last_can_be_kept(ledger: PairLedger) -> None:
    """The first begins before what 64 bits hold: it broke every run over a point of 1677-09-21 with OverflowError."""
    assert FIRST < -(2**63)
    ledger.put([record(FIRST), record(LAST)])
    assert list(ledger.records()) == [FIRST, LAST]
    ledger.forget([FIRST])
    assert list(ledger.records()) == [LAST]


def test_a_record_replaces_the_one_before(ledger: PairLedger) -> None:
    ledger.put([record(0, SliceState.DIFFERENT), record(DAY)])
    ledger.put([record(0, points=7)])
    assert ledger.records() == {0: record(0, points=7), DAY: record(DAY)}


def test_more_records_than_a_statement_takes_are_all_kept_and_forgotten(ledger: PairLedger) -> None:
    ledger.put([record(place * DAY) for place in range(1_201)])
    assert len(ledger.records()) == 1_201
    ledger.forget([place * DAY for place in range(1_200)])
    assert list(ledger.records()) == [1_200 * DAY]


def test_all_records_of_a_note_are_put_or_none(ledger: PairLedger) -> None:
    wrong = SliceRecord(DAY, SliceState.EQUAL, 1, "1:a", "1:a", None, 0, None, None)  # type: ignore[arg-type]
    many = [record(place * DAY) for place in range(500)]
    with pytest.raises(Exception, match=r"(?i)null"):
        ledger.put([*many, wrong], copied=5)
    assert ledger.records() == {}
    assert ledger.open("same", DAY).copied == 0


def test_points_that_were_copied_add_up(ledger: PairLedger) -> None:
    ledger.put([record(0)], copied=2**40)
    ledger.put([], copied=2)
    assert ledger.open("same", DAY).copied == 2**40 + 2


def test_slices_before_a_moment_are_forgotten(ledger: PairLedger) -> None:
    ledger.put([record(FIRST), record(0), record(DAY)])
    ledger.forget_before(EARLIEST_NS)
    assert list(ledger.records()) == [FIRST, 0, DAY]
    ledger.forget_before(DAY)
    assert list(ledger.records()) == [DAY]


def test_success_is_remembered_and_a_full_count_only_when_it_was_one(ledger: PairLedger) -> None:
    ledger.succeeded(100.5, counted_all=True)
    ledger.succeeded(200.5, counted_all=False)
    assert ledger.open("same", DAY) == PairState(100.5, 200.5, 0)


@pytest.mark.parametrize(("identity", "step_ns"), [("another", DAY), ("same", DAY // 24)])
def test_another_store_or_length_of_slices_means_that_nothing_is_known(
    ledger: PairLedger, identity: str, step_ns: int
) -> None:
    ledger.put([record(0)], copied=5)
    ledger.succeeded(100.5, counted_all=True)
    assert ledger.open(identity, step_ns) == PairState(None, None, 0)
    assert ledger.records() == {}


def test_finding_the_state_removes_nothing(database: StateDatabase, ledger: PairLedger) -> None:
    ledger.put([record(0)], copied=5)
    ledger.succeeded(100.5, counted_all=True)
    find = PairLedger(database, "m", "W", "W").find
    assert (find("another", DAY), find("same", DAY // 24), find("same", DAY)) == (
        None,
        None,
        PairState(100.5, 100.5, 5),
    )
    assert PairLedger(database, "m", "W", "new").find("same", DAY) is None
    assert ledger.open("same", DAY) == PairState(100.5, 100.5, 5)
    assert list(ledger.records()) == [0]


def test_pairs_and_mirrors_do_not_see_each_other(database: StateDatabase, ledger: PairLedger) -> None:
    others = [PairLedger(database, *names) for names in (("m", "W", "V"), ("m", "V", "W"), ("n", "W", "W"))]
    for place, other in enumerate(others, start=1):
        other.open("same", DAY)
        other.put([record(place * DAY)])
    ledger.put([record(0)])
    ledger.forget([DAY, 2 * DAY, 3 * DAY])
    ledger.forget_before(DAY)
    ledger.open("another", DAY)
    assert [list(other.records()) for other in others] == [[DAY], [2 * DAY], [3 * DAY]]


def test_names_of_buckets_may_hold_anything(database: StateDatabase) -> None:
    name = 'it\'s \\ "odd" 🌡️ %s'
    ledger = PairLedger(database, "m", name, name)
    ledger.open("same", DAY)
    ledger.put([record(0)])
    assert list(pairs_of(database, "m")) == [(name, name)]
    assert list(ledger.records()) == [0]


def test_the_totals_of_a_pair_are_those_of_its_slices(database: StateDatabase, ledger: PairLedger) -> None:
    ledger.put([record(0), record(DAY, points=7), record(2 * DAY, SliceState.PARTIAL, 9, rejected=4)], copied=21)
    ledger.succeeded(100.0, counted_all=True)
    states = {"equal": 2, "different": 0, "unknown": 0, "partial": 1, "extra": 0}
    assert pairs_of(database, "m") == {("W", "W"): (PairState(100.0, 100.0, 21), SliceTotals(states, 12, 4))}


def test_a_mirror_that_never_ran_has_no_pairs(database: StateDatabase) -> None:
    assert pairs_of(database, "m") == {}
