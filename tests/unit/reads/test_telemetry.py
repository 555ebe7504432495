"""The latest telemetry is read without an application."""

import json
from dataclasses import replace

import pytest

from service.domain.access import Principal, Scope
from service.domain.durations import SECOND_NS
from service.errors import TooManyReads, UnknownBucket
from service.reads.facts import NameList
from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_document import Place, TelemetryForm
from tests.unit.reads.conftest import EVERYBODY, NOW_NS, Reader, body

NOW_S = NOW_NS // SECOND_NS
QUESTION = LatestQuestion((), (), 30 * SECOND_NS)
ONLY_ROOF = Principal("b", "b", frozenset({Scope.READ}), frozenset({"Roof"}))


@pytest.fixture
def filled(reader: Reader) -> Reader:
    reader.write("Power", f'real_power,m=1 watts=412.5,mode="day" {NOW_S - 5}\nother watts=1 {NOW_S - 5}')
    reader.write("Roof", f"real_wind speed=3 {NOW_S - 20}")
    return reader


def test_the_newest_values_of_all_buckets_with_the_place_of_the_configuration(filled: Reader) -> None:
    answer = filled.telemetry.latest(QUESTION, EVERYBODY)
    assert json.loads(body(answer)) == {
        "ts": NOW_NS // 1_000_000,
        "values": {
            "real_power": {"watts": 412.5},
            "real_wind": {"speed": 3.0},
            "latitude": 52.5,
            "longitude": 13.4,
        },
    }
    assert answer.facts.text == NameList((("real_power", "mode"),), 1)
    assert (answer.facts.store, answer.facts.unread) == ("embedded", NameList())
    assert filled.slots.taken == 0


def test_rows_have_each_series_own_time(filled: Reader) -> None:
    question = replace(QUESTION, buckets=("Roof",), form=TelemetryForm.ROWS)
    filled.place = Place()
    row = {
        "bucket": "Roof",
        "measurement": "real_wind",
        "tags": {},
        "field": "speed",
        "time": "2026-01-01T11:59:40Z",
        "value": 3.0,
    }
    document = {"ts": NOW_NS // 1_000_000, "latitude": None, "longitude": None, "rows": [row]}
    assert json.loads(body(filled.telemetry.latest(question, EVERYBODY))) == document


def test_named_measurements_count_whatever_their_names(filled: Reader) -> None:
    question = replace(QUESTION, measurements=("other",), form=TelemetryForm.FLAT)
    filled.place = Place()
    document = json.loads(body(filled.telemetry.latest(question, EVERYBODY)))
    assert document["values"] == {"other.watts": 1.0}


def test_a_reader_gets_what_it_may_see_and_other_buckets_are_not_there(filled: Reader) -> None:
    values = json.loads(body(filled.telemetry.latest(QUESTION, ONLY_ROOF)))["values"]
    assert "real_wind" in values and "real_power" not in values
    with pytest.raises(UnknownBucket):
        filled.telemetry.latest(replace(QUESTION, buckets=("Power",)), ONLY_ROOF)


def test_without_a_slot_telemetry_is_told_to_come_back(filled: Reader) -> None:
    for key_id in "bc":
        filled.slots.take(key_id)
    with pytest.raises(TooManyReads):
        filled.telemetry.latest(QUESTION, EVERYBODY)
