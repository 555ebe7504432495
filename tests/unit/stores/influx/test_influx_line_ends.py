"""Line ends in names, tags and text: carried exactly, or noticed; held against models of what writes the answers."""

import re
from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.domain.timerange import EVER
from service.errors import EndMarkMissing, LineEndLost, StoreBroken, StoreFailed
from service.stores.influx import flux, influxql
from service.stores.influx.annotated_csv import rows_of
from service.stores.influx.labels import frames_of
from service.stores.influx.points_csv import PointRows, cut_sections
from service.stores.influx.points_msgpack import series_rows

LETTERS = st.text(st.sampled_from('a\\\n\r", =\t$ä🌡\u3000.'), max_size=6)
"""Letters that CSV, Flux or InfluxQL treat in a way of their own."""
HEAD = (
    "#datatype,string,long,dateTime:RFC3339,double,string,string,string,string\r\n#group,false,false,false,false,true,true,true,true\r\n"
    "#default,_result,,,,,,,\r\n,result,table,_time,_value,_field,_measurement,host,room\r\n"
)
END = "name,tags,fieldKey,fieldType\nm,,f,float\n"


def storable(tag: str) -> bool:
    """What line protocol stores as a tag's value (seen on 2.9.1).

    A line feed is only behind a backslash, and no backslash is at the end."""
    return bool(tag) and not tag.endswith("\\") and not re.search(r"(?<!\\)\n", tag)


TAGS = LETTERS.filter(storable)
QUOTED_BY_ITSELF = "\\."
"""Go quotes this one cell though no letter in it needs that.

So what CSV makes of it with carriage returns tells nothing."""
TOLD_TAGS = TAGS.filter(lambda tag: "\r" not in tag or tag.replace("\r", "") != QUOTED_BY_ITSELF)


def go_cell(text: str, crlf: bool) -> str:
    """A cell as Go's encoding/csv writes it (writer.go fieldNeedsQuotes and Write)."""
    if text == "" or not (text == "\\." or any(letter in text for letter in ',"\r\n') or text[0].isspace()):
        return text
    quoted = text.replace('"', '""')
    return '"' + (quoted.replace("\r", "").replace("\n", "\r\n") if crlf else quoted) + '"'


def pieces(text: str, size: int) -> Iterator[bytes]:
    body = text.encode()
    return (body[start : start + size] for start in range(0, len(body), size))


def rows(frames: Iterator[pa.RecordBatch]) -> list[tuple[str | None, str | None]]:
    return [
        pair for frame in frames for pair in zip(frame.column(4).to_pylist(), frame.column(5).to_pylist(), strict=True)
    ]


def test_one_tag_comes_in_the_same_bytes_with_a_carriage_return_and_without() -> None:
    """So no reader can tell them apart, and the page on exactness says so."""
    assert go_cell("\\.", True) == go_cell("\\.\r", True) == '"\\."'


@given(tags=st.lists(st.tuples(TOLD_TAGS, TOLD_TAGS), min_size=1, max_size=4), size=st.integers(1, 200))
def test_flux_gives_the_stored_tags_or_an_error(tags: list[tuple[str, str]], size: int) -> None:
    """One hole is left: a carriage return in a cell that is quoted for another letter too."""
    lines = [f",,0,1970-01-01T00:00:00Z,1,f,m,{go_cell(host, True)},{go_cell(room, True)}\r\n" for host, room in tags]
    text = HEAD + "".join(lines) + "\r\n"
    hidden = [
        tag
        for pair in tags
        for tag in pair
        if "\r" in tag and (set(',"') & set(tag) or tag.replace("\r", "")[:1].isspace())
    ]
    plain = not any(letter in tag for pair in tags for tag in pair for letter in "\r\n")
    try:
        found = rows(frame for part in rows_of(pieces(text, size)) for frame in frames_of(part, ("host", "room")))
    except LineEndLost:
        assert not plain
        return
    assert found == tags or hidden
    assert plain or hidden


@given(
    tags=st.lists(st.tuples(TAGS | st.just(""), TAGS | st.just("")), min_size=1, max_size=6), size=st.integers(1, 200)
)
def test_influxql_gives_the_stored_tags_however_they_arrive(tags: list[tuple[str, str]], size: int) -> None:
    lines = [
        f"m,,{place},{place},{go_cell(host, False)},{go_cell(room, False)}\n" for place, (host, room) in enumerate(tags)
    ]
    maker = PointRows("m", [("f", FieldType.FLOAT)], ("host", "room"))
    text = "name,tags,time,f,host,room\n" + "".join(lines) + "\n" + END
    found = rows(frame for part in cut_sections(pieces(text, size)) for frame in maker.block(part))
    assert found == [(host or None, room or None) for host, room in tags]


@pytest.mark.parametrize("name", ["a\\\nb", "a\rb", 'q"\\\n,"'])
def test_a_header_may_hold_line_ends(name: str) -> None:
    maker = PointRows("m", [(name, FieldType.INTEGER)], ())
    text = f"name,tags,time,{go_cell(name, False)}\nm,,7,1\n\n{END}"
    for size in (1, 3, 1000):
        [frame] = [frame for part in cut_sections(pieces(text, size)) for frame in maker.block(part)]
        assert (frame.column(1).to_pylist(), frame.column(2).to_pylist()) == ([1], [name])


def test_a_clean_end_without_the_end_mark_is_told_from_a_cut_connection() -> None:
    with pytest.raises(EndMarkMissing):
        list(cut_sections(iter([b"name,tags,time,f\nm,,1,1\n"])))


@given(LETTERS)
def test_text_comes_back_from_what_flux_makes_of_it(text: str) -> None:
    escaped = "=" + text.replace("\\", "\\b").replace("\n", "\\n").replace("\r", "\\r")
    assert flux.plain_text(escaped) == text
    assert not set("\r\n") & set(escaped) and not escaped.endswith("\\")


def test_the_flux_that_carries_text_replaces_backslashes_first() -> None:
    assert flux.as_text("PIPELINE") == (
        'PIPELINE\n  |> map(fn: (r) => ({r with _value: "=" + '
        "strings.replaceAll(v: strings.replaceAll(v: strings.replaceAll("
        'v: r._value, t: "\\\\", u: "\\\\b"), t: "\\x0a", u: "\\\\n"), t: "\\x0d", u: "\\\\r")}))\n'
        '  |> yield(name: "text")'
    )


@given(LETTERS, LETTERS)
def test_the_pattern_of_a_name_matches_that_name_alone(name: str, other: str) -> None:
    """Python writes a letter's code as \\uXXXX where Go takes \\x{X}; both match the same."""
    pattern = influxql.only(name)
    assert pattern[0] == pattern[-1] == "/" and "/" not in pattern[1:-1]
    compiled = re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", pattern[2:-2]))
    assert compiled.fullmatch(name)
    assert bool(compiled.fullmatch(other)) == (other == name)


def test_a_name_with_a_carriage_return_is_said_by_a_pattern_and_any_other_in_quotes() -> None:
    assert influxql.field("a\rb") == "/^a\\x{d}b$/"
    assert influxql.field("a\nb", "float") == '"a\\nb"::float'
    assert influxql.source("b", "m\r") == '"b"."autogen"./^m\\x{d}$/'
    assert '"k"::tag =~ /^x\\x{d}$/ OR "k"::tag = \'y\'' in influxql.where(EVER, [("k", ("x\r", "y"))])


@pytest.mark.parametrize(
    ("measurement", "field", "tags", "carried"),
    [
        ("m", "f", ("host",), True),
        ("m", "_value", ("result", "table", "error"), True),
        ("m", "f", ("_value",), False),
        ("m", "f", ("host", "_start"), False),
        ("m\r", "f", (), False),
        ("m", "a\\\nb", (), False),
        ("m", "f", ("a\rb",), False),
    ],
)
def test_which_names_flux_can_carry(measurement: str, field: str, tags: tuple[str, ...], carried: bool) -> None:
    assert flux.can_carry(measurement, field, tags) is carried


@pytest.mark.parametrize(
    "body",
    [b"\x81\xa7results\x91\x01", b"\x81\xa7results\xc0", b"\x81\xa7results\x91\x81\xa6series\x01", b"\x01", b"\xc1"],
)
def test_messagepack_that_makes_no_sense_is_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(StoreBroken):
        list(series_rows(iter([body])))


def test_bytes_that_are_no_text_are_named_as_such() -> None:
    maker = PointRows("m", [("f", FieldType.FLOAT)], ("host",))
    with pytest.raises(StoreFailed, match="not UTF-8"):
        maker.block(b"m,,1,1,a\xffb\n")
    with pytest.raises(StoreFailed, match="not UTF-8"):
        list(series_rows(iter([b"\x81\xa7results\x91\x81\xa1x\xa1\xff"])))
