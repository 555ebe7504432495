"""A bucket is read without an application: in windows and raw, kept, within slots, until the reader leaves."""

import pytest

from service.cache.answers import CancelToken
from service.domain.durations import SECOND_NS
from service.domain.selection import Fn
from service.domain.timerange import TimeRange
from service.encoding.encoders import Format
from service.errors import StoreBroken, TooManyReads, UnknownBucket
from service.reads.facts import NameList
from service.reads.question import RAW, AskedRead, Between, LastWindow
from tests.unit.reads.conftest import LIMITS, NOW_NS, Reader, body

HOUR_NS = 3600 * SECOND_NS
NOW_S = NOW_NS // SECOND_NS
LAST_HOUR = Between(NOW_NS - HOUR_NS, NOW_NS)
TWO_METERS = f'power,meter=a watts=1,mode="day" {NOW_S - 60}\npower,meter=a watts=3,mode="day" {NOW_S - 120}'


def test_a_read_in_windows(reader: Reader) -> None:
    reader.write("Power", TWO_METERS)
    answer = reader.read(AskedRead("Power", LAST_HOUR, every="1h", fn=Fn.MEAN))
    assert body(answer).decode() == (
        "_time,_value,_field,_measurement,meter\n"  # one line per window, stamped with its end
        "2026-01-01T12:00:00Z,2,watts,power,a\n"
    )
    assert answer.served.outcome == "miss"
    assert (answer.facts.store, answer.facts.span) == ("embedded", TimeRange(NOW_NS - HOUR_NS, NOW_NS))
    assert answer.facts.skipped == NameList((("power", "mode"),), 1)
    assert reader.rows == [1]


def test_a_raw_read_as_json_with_a_limit(reader: Reader) -> None:
    reader.write("Power", TWO_METERS)
    asked = AskedRead("Power", LAST_HOUR, RAW, fields=("watts",), format=Format.JSON, limit=1)
    assert body(reader.read(asked)).decode() == (
        '{"bucket":"Power","start":"2026-01-01T11:00:00Z","stop":"2026-01-01T12:00:00Z","every":"raw","rows":[\n'
        '{"_time":"2026-01-01T11:58:00Z","_value":3.0,"_field":"watts","_measurement":"power","meter":"a"}\n'
        '],"truncated":true}\n'
    )


def test_the_second_answer_is_the_first_one_kept_with_its_range_and_facts(reader: Reader) -> None:
    reader.write("Power", TWO_METERS)
    asked = AskedRead("Power", LastWindow(HOUR_NS), every="1h")
    first = reader.read(asked)
    first_body = body(first)
    reader.wait_for_the_end_of_a_read()
    reader.now_ns += 5 * SECOND_NS
    second = reader.read(asked)
    assert (second.served.outcome, second.served.age_s, body(second)) == ("hit", 5, first_body)
    assert second.facts == first.facts
    assert second.question.selection.span != first.facts.span
    cached = reader.reads.cached(asked.at(reader.now_ns, LIMITS.max_windows))
    assert cached is not None and body(cached) == first_body


@pytest.mark.parametrize(("every", "kept_s"), [("5s", 5), ("1h", 20), (RAW, 20)])
def test_an_answer_that_ends_now_is_kept_for_a_moment_and_never_longer_than_a_window(
    reader: Reader,
    every: str,
    kept_s: int,
) -> None:
    reader.write("Power", TWO_METERS)
    asked = AskedRead("Power", LastWindow(HOUR_NS), every)
    body(reader.read(asked))
    reader.wait_for_the_end_of_a_read()
    reader.now_ns += kept_s * SECOND_NS - SECOND_NS // 10
    assert reader.read(asked).served.outcome == "hit"
    reader.now_ns += SECOND_NS // 5
    assert reader.read(asked).served.outcome == "miss"


def test_an_answer_about_a_range_that_is_over_is_kept_for_long(reader: Reader) -> None:
    reader.write("Power", TWO_METERS)
    asked = AskedRead("Power", LAST_HOUR, every="5s")
    body(reader.read(asked))
    reader.wait_for_the_end_of_a_read()
    reader.now_ns += 3599 * SECOND_NS
    assert reader.read(asked).served.outcome == "hit"


def test_a_reader_that_leaves_in_the_middle_ends_the_read_and_frees_its_slot(reader: Reader) -> None:
    long_name = "x" * 400
    lines = (f"power,meter={long_name} watts=1 {NOW_S - 1 - number}" for number in range(30_000))
    reader.write("Power", "\n".join(lines))
    answer = reader.read(AskedRead("Power", LastWindow(24 * HOUR_NS)))
    assert next(answer.served.chunks)
    assert reader.slots.taken == 1
    answer.served.close()
    reader.wait_for_the_end_of_a_read()
    assert reader.slots.taken == 0
    assert list(answer.served.chunks) == []


def test_a_reader_that_leaves_before_the_first_bytes_ends_the_read_and_frees_its_slot(reader: Reader) -> None:
    reader.write("Power", TWO_METERS)
    client = CancelToken()
    reader.store.before_read = client.cancel
    question = AskedRead("Power", LAST_HOUR).at(NOW_NS, LIMITS.max_windows)
    with pytest.raises(StoreBroken, match="given up before it began"):
        reader.reads.read(question, "a", cancel_token=client)
    reader.wait_for_the_end_of_a_read()
    assert (reader.slots.taken, reader.rows) == (0, [])


def test_without_a_slot_a_read_is_told_to_come_back(reader: Reader) -> None:
    reader.write("Power", TWO_METERS)
    give_back = [reader.slots.take("b"), reader.slots.take("c")]
    with pytest.raises(TooManyReads, match=r"All 2 reads of this gateway \(MAX_READS\) are under way"):
        reader.read(AskedRead("Power", LAST_HOUR))
    for act in give_back:
        act()
    assert body(reader.read(AskedRead("Power", LAST_HOUR)))


def test_a_read_that_the_store_refuses_gives_its_slot_back(reader: Reader) -> None:
    with pytest.raises(UnknownBucket):
        reader.read(AskedRead("None", LAST_HOUR))
    assert reader.slots.taken == 0
