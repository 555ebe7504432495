"""Line protocol as a payload: lines hold what the frames held, and a refused line gives back its single values."""

from collections import Counter

import pytest
from hypothesis import given, settings

from service.domain.schema import FieldType
from service.upstream.line_document import LineDocument
from tests.support.sample_blocks import Row, block_of, hostile_rows
from tests.support.upstream_payloads import Value, read_line_protocol

ROWS = [
    Row(1, 1.5, "a", "m", (("t", "x y"),)),
    Row(1, 2, "b", "m", (("t", "x y"),), FieldType.INTEGER),
    Row(2, 2.5, "a", "m", (("t", "x y"),)),
    Row(1, "text", "a", "n", (), FieldType.STRING),
]
DOCUMENT = LineDocument(block_of(ROWS))


def test_the_fields_of_a_time_are_one_line() -> None:
    assert len(DOCUMENT) == 3
    assert DOCUMENT.body(range(3)) == b'm,t=x\\ y a=1.5,b=2i 1\nm,t=x\\ y a=2.5 2\nn a="text" 1\n'
    assert DOCUMENT.values(range(3)) == 4


def test_a_part_has_the_bytes_of_its_lines() -> None:
    assert DOCUMENT.body(range(1, 3)) == DOCUMENT.body([1, 2]) == b'm,t=x\\ y a=2.5 2\nn a="text" 1\n'
    assert DOCUMENT.values([0, 2]) == 3


@pytest.mark.parametrize(("part", "sensors"), [(range(2), (0, 0)), (range(3), (0, 1)), ([2], (1, 1))])
def test_lines_of_one_series_are_one_sensor(part: range | list[int], sensors: tuple[int, int]) -> None:
    assert DOCUMENT.sensors_of(part) == sensors


def test_a_refused_line_is_a_dead_letter_for_each_of_its_values() -> None:
    letters = DOCUMENT.dead_letters([0], "refused", "No.", status=422)
    common = {"measurement": "m", "tags": {"t": "x y"}, "time_ns": 1, "code": "refused", "reason": "No.", "status": 422}
    assert [{**letter, "time": None} for letter in letters] == [
        {**common, "field": "a", "type": "float", "value": "1.5", "time": None},
        {**common, "field": "b", "type": "integer", "value": "2", "time": None},
    ]


def test_what_no_line_holds_is_a_dead_letter() -> None:
    document = LineDocument(block_of([Row(1, 1.5), Row(2, float("nan"))]))
    assert document.body(range(len(document))) == b"m f=1.5 1\n"
    assert [(letter["time_ns"], letter["code"]) for letter in document.letters] == [(2, "unwritable")]


@settings(max_examples=50)
@given(hostile_rows())
def test_every_value_is_in_a_line_or_a_letter(rows: list[Row]) -> None:
    document = LineDocument(block_of(rows))
    everything = range(len(document))
    assert document.values(everything) + len(document.letters) == len(rows)
    whole = Counter(read_line_protocol(document.body(everything)))
    assert sum(whole.values()) == document.values(everything)
    parts: Counter[Value] = Counter()
    for item in everything:
        parts += Counter(read_line_protocol(document.body([item])))
    assert parts == whole
