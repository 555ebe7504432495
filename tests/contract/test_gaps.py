"""The gaps of a bucket are the same on every store."""

import json
from dataclasses import replace
from typing import Any

import pytest

from service.cache.answers import AnswerCache
from service.cache.memory import MemoryCache
from service.domain.durations import SECOND_NS, parse_duration
from service.domain.timerange import TimeRange
from service.errors import UnknownBucket
from service.reads.gaps import GapQuestion, GapReads
from service.reads.limits import ReadLimits
from service.reads.question import AskedRead, Between, Question
from service.reads.slots import Slots
from service.stores.protocol import Store
from tests.support.rows import store_all

START_NS = 1_700_000_000 * SECOND_NS
HOUR_NS, MINUTE_NS = parse_duration("1h", "hour"), parse_duration("1m", "minute")
SPAN = TimeRange(START_NS, START_NS + HOUR_NS)
LIMITS = ReadLimits(
    max_windows=1000,
    timeout_s=60,
    cache_closed_s=0,
    cache_open_s=0,
    cache_telemetry_s=0,
    telemetry_word="real",
    store_identity="of the test",
)


def minutes(series: str, field: str, numbers: list[int]) -> str:
    return "".join(f"{series} {field} {START_NS + number * MINUTE_NS}\n" for number in numbers)


@pytest.fixture
def filled(store: Store, bucket: str) -> str:
    """A meter with a gap, one that fell silent, one that was lost before the range, and one that begins in it."""
    lines = minutes("site,meter=gap", "power=1", [*range(20), *range(35, 60)])
    lines += minutes("site,meter=silent", "power=1", [*range(-5, 40)])
    lines += minutes("site,meter=lost", "power=1", [-30, -29])
    lines += minutes("site,meter=young", 'power=1,mode="day"', [*range(50, 60)])
    lines += minutes("site,meter=after", "power=1", [60, 61])
    lines += minutes("weather", "sun=true", [*range(0, 60, 2)])
    store_all(store, bucket, lines)
    return bucket


def asked(store: Store, question: GapQuestion) -> dict[str, Any]:
    answers = AnswerCache(MemoryCache(1_000_000, lambda: 0.0), 100_000, lambda: 0.0)
    served = GapReads(store, answers, Slots(2), LIMITS).gaps(question, "a").served
    answer: dict[str, Any] = json.loads(b"".join(served.chunks))
    served.close()
    return answer


def question(bucket: str, **selected: Any) -> GapQuestion:
    return GapQuestion(points(bucket, SPAN, **selected), MINUTE_NS, HOUR_NS, 100)


def points(bucket: str, span: TimeRange, **selected: Any) -> Question:
    return AskedRead(bucket, Between(span.start_ns, span.stop_ns), **selected).at(span.stop_ns, 0)


def shown(answer: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    members = ("points", "covered", "silent", "gap_count")
    return {
        f"{series['tags'].get('meter', series['measurement'])} {series['field']}": tuple(
            series[member] for member in members
        )
        for series in answer["series"]
    }


def test_each_series_has_its_gaps(store: Store, filled: str) -> None:
    answer = asked(store, question(filled))
    assert shown(answer) == {
        "young mode": (10, 1.0, False, 0),
        "gap power": (45, 45 / 60, False, 1),
        "lost power": (0, 0.0, True, 1),
        "silent power": (40, 40 / 60, True, 1),
        "young power": (10, 1.0, False, 0),
        "weather sun": (30, 0.5, True, 30),
    }
    assert (answer["silent"], answer["expect_s"], answer["bucket"]) == (3, 60.0, filled)
    gaps = {series["tags"].get("meter"): series["gaps"] for series in answer["series"] if series["field"] == "power"}
    assert gaps["gap"] == [{"start": "2023-11-14T22:32:20Z", "stop": "2023-11-14T22:48:20Z", "seconds": 960.0}]
    assert gaps["silent"] == [{"start": "2023-11-14T22:52:20Z", "stop": None, "seconds": 1260.0}]
    assert gaps["lost"] == [{"start": "2023-11-14T21:44:20Z", "stop": None, "seconds": 5340.0}]


def test_what_each_series_usually_does_is_expected(store: Store, filled: str) -> None:
    answer = asked(store, replace(question(filled), expect_ns=None))
    expected = {f"{series['tags'].get('meter')} {series['field']}": series["expect_s"] for series in answer["series"]}
    assert (expected["gap power"], expected["None sun"], expected["lost power"]) == (180.0, 360.0, None)
    assert shown(answer)["weather sun"] == (30, 1.0, False, 0)
    assert shown(answer)["lost power"] == (0, None, None, 0)


def test_filters_select_series(store: Store, filled: str) -> None:
    def series(**selected: Any) -> list[str]:
        return list(shown(asked(store, question(filled, **selected))))

    assert series(tags=(("meter", ("lost", "young")),), fields=("power",)) == ["lost power", "young power"]
    assert series(measurements=("weather",)) == ["weather sun"]
    assert series(measurements=("site",), fields=("mode",)) == ["young mode"]
    assert series(measurements=("nothing",)) == []


def test_a_series_known_for_longer_than_asked_is_not_missed(store: Store, filled: str) -> None:
    assert "lost power" not in shown(asked(store, replace(question(filled), known_ns=20 * MINUTE_NS)))


def test_a_field_that_changed_its_type_is_one_series(store: Store, bucket: str) -> None:
    day_ns = 24 * HOUR_NS
    lines = "".join(f"m f={step}i {START_NS - 30 * day_ns + step * HOUR_NS}\n" for step in range(50))
    lines += "".join(f"m f={step}.5 {START_NS + step * HOUR_NS}\n" for step in range(50))
    store_all(store, bucket, lines)
    span = TimeRange(START_NS - 30 * day_ns, START_NS + 50 * HOUR_NS)
    [series] = asked(store, GapQuestion(points(bucket, span), HOUR_NS, HOUR_NS, 100))["series"]
    assert (series["points"], series["gap_count"], series["silent"]) == (100, 1, False)
    assert series["gaps"][0]["seconds"] == (30 * day_ns - 49 * HOUR_NS) / SECOND_NS


def test_an_empty_bucket_has_no_series_and_an_unknown_one_is_named(store: Store, bucket: str) -> None:
    assert asked(store, question(bucket))["series"] == []
    with pytest.raises(UnknownBucket):
        asked(store, question("no such bucket"))
