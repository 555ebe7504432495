"""The rows that a read counts are those of its answer, in every format."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.console.row_counts import RowCounter, rows_of_file
from service.domain.schema import FieldType
from service.encoding.encoders import Format, encode
from tests.support.sample_blocks import Row, block_of, layout, plan_of

TEXTS = ["plain", 'a "quoted" one', "two\nlines", '"\n"', "<row >", "a,b\r\n", ""]


def answer(form: Format, texts: list[str]) -> bytes:
    rows = [Row(number, text, type=FieldType.STRING) for number, text in enumerate(texts)]
    plan = plan_of([Row(0, "", type=FieldType.STRING)])
    return b"".join(encode(iter([block_of(rows)] if rows else []), plan, layout(form)))


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("count", [0, 1, len(TEXTS)])
def test_a_file_tells_its_rows(form: Format, count: int, tmp_path: Path) -> None:
    file = tmp_path / "answer"
    file.write_bytes(answer(form, TEXTS[:count]))
    assert rows_of_file(file, form.value) == count


@pytest.mark.parametrize("form", [Format.CSV, Format.JSON, Format.NDJSON])
@given(texts=st.lists(st.sampled_from(TEXTS), max_size=5), step=st.integers(1, 50))
def test_rows_are_counted_on_the_way_in_pieces_of_any_size(form: Format, texts: list[str], step: int) -> None:
    data, counter = answer(form, texts), RowCounter(form.value)
    for start in range(0, len(data), step):
        counter.add(data[start : start + step])
    assert counter.rows == len(texts)


def test_binary_formats_are_counted_in_their_file_alone() -> None:
    known = [form for form in Format if RowCounter.knows(form.value)]
    assert known == [Format.CSV, Format.JSON, Format.NDJSON]
