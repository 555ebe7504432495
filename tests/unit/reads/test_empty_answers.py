"""Why an answer has no rows: asked of the store only then, and never a reason to fail."""

import pytest

from service.errors import StoreUnavailable
from service.reads.facts import NameList
from service.reads.question import RAW, AskedRead, Between
from tests.unit.reads.conftest import NOW_NS, Reader, body

LONG_AGO = Between(0, 1_000)
RECENT = Between(NOW_NS - 3_600_000_000_000, NOW_NS)
LINE = f"power,meter=a watts=1 {NOW_NS // 1_000_000_000 - 60}"


def asked(reader: Reader, span: Between, **filters: object) -> tuple[str, NameList]:
    answer = reader.read(AskedRead("Power", span, RAW, **filters))  # type: ignore[arg-type]
    body(answer)
    return answer.facts.newest, answer.facts.unknown


def test_rows_need_no_reason(reader: Reader) -> None:
    reader.write("Power", LINE)
    assert asked(reader, RECENT) == ("", NameList())


def test_without_rows_the_newest_point_is_told(reader: Reader) -> None:
    reader.write("Power", LINE)
    assert asked(reader, LONG_AGO) == ("2026-01-01T11:59:00Z", NameList())


def test_a_value_that_no_series_has_is_named_with_the_unknown_field(reader: Reader) -> None:
    reader.write("Power", LINE)
    filters = {"fields": ("Watts",), "tags": (("meter", ("A", "a")), ("room", ("x",)))}
    names = (("field", "", "Watts", "watts"), ("tag", "", "room"), ("value", "meter", "A", "a"))
    assert asked(reader, RECENT, **filters) == ("2026-01-01T11:59:00Z", NameList(names, 3))


@pytest.mark.parametrize("filters", [{}, {"tags": (("meter", ("b",)),)}])
def test_a_store_that_does_not_say_why_breaks_no_answer(reader: Reader, filters: dict[str, object]) -> None:
    reader.write("Power", LINE)
    away = StoreUnavailable("away")

    def fails(*_: object) -> None:
        raise away

    reader.store.last_point = fails  # type: ignore[method-assign, assignment]
    reader.store.tag_values = fails  # type: ignore[method-assign, assignment]
    assert asked(reader, LONG_AGO, **filters) == ("unknown", NameList())
