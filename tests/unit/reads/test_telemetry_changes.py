"""A client that is sent a state and changes knows what the whole answer says, whatever it missed meanwhile."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.telemetry import Missing
from service.reads import telemetry_changes
from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_changes import Snapshot
from service.reads.telemetry_document import TelemetryForm
from service.reads.telemetry_leaves import Path, change_document
from tests.support.telemetry_client import Event, applied, applied_rows

NESTED = LatestQuestion((), (), 1)
FLAT = LatestQuestion((), (), 1, TelemetryForm.FLAT)
BY_DEVICE = LatestQuestion((), (), 1, TelemetryForm.THINGSBOARD, "device")
FLAT_BY_DEVICE = LatestQuestion((), (), 1, TelemetryForm.FLAT, "device")
ROWS = LatestQuestion((), (), 1, TelemetryForm.ROWS)

NAMES = st.sampled_from(["a", "b", "c", "rows", "values"])
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 2.5, None])
FIELDS = st.dictionaries(NAMES, NUMBERS, max_size=3)
PLACE = st.dictionaries(st.sampled_from(["latitude", "longitude"]), st.sampled_from([1.5, 2.5]))


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda ts, some, place: {"ts": ts, "values": some | place}, st.integers(1, 10**13), values, PLACE)


NESTED_DOCUMENTS = objects(st.dictionaries(NAMES, FIELDS, max_size=3))
FLAT_DOCUMENTS = objects(FIELDS)


def devices(telemetry: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Documents in which all devices have one time, as answers have it."""
    return st.builds(
        lambda ts, found: {name: [{**each, "ts": ts}] for name, each in found.items()},
        st.integers(1, 10**13),
        st.dictionaries(NAMES, telemetry, max_size=3),
    )


def row(field: str, tag: str, value: float | None) -> dict[str, Any]:
    place = {"bucket": "b", "measurement": "m", "tags": {"t": tag}, "field": field}
    return {**place, "time": f"2026-01-01T00:00:0{int(value or 0)}Z", "value": value}


SERIES = st.dictionaries(st.tuples(NAMES, NAMES), NUMBERS, max_size=4)
ROW_DOCUMENTS = st.builds(
    lambda ts, latitude, series: {
        "ts": ts,
        "latitude": latitude,
        "longitude": None,
        "rows": [row(*name, value) for name, value in series.items()],
    },
    st.integers(1, 10**13),
    st.sampled_from([None, 1.5]),
    SERIES,
)
CASES = {
    "nested": (NESTED, NESTED_DOCUMENTS),
    "flat": (FLAT, FLAT_DOCUMENTS),
    "by": (BY_DEVICE, devices(NESTED_DOCUMENTS)),
    "flat by": (FLAT_BY_DEVICE, devices(FLAT_DOCUMENTS)),
    "rows": (ROWS, ROW_DOCUMENTS),
}


def told(snapshot: Snapshot, number: int) -> Event:
    """The event that a listener gets that was last sent snapshot `number`."""
    changes = snapshot.changes_since(number)
    return Event("state", json.loads(snapshot.document)) if changes is None else Event("change", json.loads(changes))


def plain(document: Any, question: LatestQuestion) -> Any:
    """What a document says, to the sign of a zero; without the order of rows, and without times of devices."""
    if question.form is TelemetryForm.ROWS:
        return sorted(map(repr, document["rows"])), document["latitude"], document["ts"]
    if question.by is None:
        return repr(sorted((name, sorted_items(value)) for name, value in document["values"].items())), document["ts"]
    return {name: plain({**telemetry, "ts": 0}, NESTED) for name, [telemetry] in document.items()}


def sorted_items(value: Any) -> str:
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


@pytest.mark.parametrize("case", CASES)
@given(data=st.data())
def test_whatever_a_client_missed_it_knows_the_whole_answer(case: str, data: st.DataObject) -> None:
    question, documents = CASES[case]
    apply = applied_rows if question.form is TelemetryForm.ROWS else applied
    snapshot, known, number = Snapshot(question), None, 0
    for document, is_read in data.draw(st.lists(st.tuples(documents, st.booleans()), min_size=1, max_size=5)):
        snapshot = snapshot.followed_by(orjson.dumps(document), 5)
        if is_read:
            if snapshot.number != number:
                known, number = apply(known, told(snapshot, number)), snapshot.number
            assert plain({**known, "ts": 0} if question.by is None else known, question) == plain(
                {**document, "ts": 0} if question.by is None else document, question
            )


def document(**values: Any) -> bytes:
    return orjson.dumps({"ts": 7, "values": values})


def test_only_what_differs_is_told() -> None:
    first = Snapshot(NESTED).followed_by(document(real_x={"a": 1.0, "b": 2.0}, real_y={"c": 3.0}), 0)
    second = first.followed_by(document(real_x={"a": 1.0, "b": 9.0}), 0)
    assert json.loads(second.changes_since(first.number) or b"") == {
        "ts": 7,
        "values": {"real_x": {"b": 9.0}},
        "removed": [["real_y"]],
    }
    third = second.followed_by(document(real_x={"b": 9.0}), 0)
    assert json.loads(third.changes_since(2) or b"") == {"ts": 7, "values": {}, "removed": [["real_x", "a"]]}


def test_an_answer_without_a_difference_is_no_news_unless_it_must_be() -> None:
    first = Snapshot(NESTED).followed_by(document(real_x={"a": 1.0}), 0)
    assert first.followed_by(document(real_x={"a": 1.0}), 0).number == first.number == 1
    forced = first.followed_by(document(real_x={"a": 1.0}), 0, forced=True)
    assert (forced.number, json.loads(forced.changes_since(1) or b"")) == (2, {"ts": 7, "values": {}})


def test_a_first_answer_without_values_is_news() -> None:
    assert Snapshot(NESTED).followed_by(document(), 0).number == 1
    assert Snapshot(BY_DEVICE).followed_by(b"{}", 5).number == 1


def test_numbers_that_are_not_known_get_everything() -> None:
    snapshot = Snapshot(NESTED).followed_by(document(a=1.0), 0).followed_by(document(a=2.0), 0)
    assert [snapshot.changes_since(number) is None for number in (-1, 0, 1, 2, 3)] == [True, True, False, False, True]


def test_what_is_remembered_of_removed_values_is_bounded() -> None:
    most = telemetry_changes.MOST_REMOVED
    full = Snapshot(NESTED).followed_by(document(x={str(number): 1.0 for number in range(most + 1)}), 0)
    last_known = full.followed_by(document(x={"0": 1.0}), 0)
    assert (len(last_known.removed_at), last_known.changes_since(1) is None) == (most, False)
    forgotten = last_known.followed_by(document(y={"0": 1.0}), 0)
    assert (len(forgotten.removed_at), forgotten.changes_since(1)) == (0, None)
    assert forgotten.changes_since(2) is None
    assert forgotten.followed_by(document(y={"0": 2.0}), 0).changes_since(3) is not None


def test_missing_values_that_are_null_are_values() -> None:
    question = LatestQuestion((), (), 1, missing=Missing.NULL)
    first = Snapshot(question).followed_by(document(real_x={"a": 1.0}), 0)
    assert json.loads(first.followed_by(document(real_x={"a": None}), 0).changes_since(1) or b"")["values"] == {
        "real_x": {"a": None}
    }


class CountedLeaves(dict[Path, object]):
    """Values that count how often somebody walked over all of them."""

    walks = 0

    def __iter__(self) -> Iterator[Path]:
        type(self).walks += 1
        return super().__iter__()

    def items(self) -> Any:
        type(self).walks += 1
        return super().items()


def test_the_values_of_many_devices_are_walked_over_a_few_times_and_not_once_for_each() -> None:
    leaves = CountedLeaves({(f"d{device}", "m", "f"): 1.0 for device in range(200)})
    changes = change_document(BY_DEVICE, 7, leaves, leaves, [("gone", "m", "f")])
    assert (len(changes), changes["d7"], changes["gone"]) == (201, [{"ts": 7, "values": {"m": {"f": 1.0}}}], [])
    assert CountedLeaves.walks < 10
