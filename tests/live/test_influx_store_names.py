"""Names that a real InfluxDB stores and its own dialects stumble over: line ends, and tags named like Flux's columns.

Line protocol of other writers is sent past the gateway, which refuses some of it.
"""

import pytest

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Selection, Windows
from service.errors import StoreFailed
from service.stores.influx.store import InfluxStore
from tests.support.rows import Row, at, collect, read, row, rows_of, span
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
WHOLE_DAY = Windows(parse_duration("1d", "every"), Fn.LAST)
BEHIND_BACKSLASH = "a\\\nb"
"""The only way to a line feed in a name: behind a backslash, which stays."""


def latest(store: InfluxStore, bucket: str) -> list[Row]:
    return sorted(one for frame in store.latest(bucket, DAY, "m").frames for one in rows_of(frame))


@pytest.mark.parametrize("name", [BEHIND_BACKSLASH, "a\rb", "a\r", "\\\n", "a\\\n\rb"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("m{name},k=v f=1,g=2i", ("m{name}", "k", "v", "f", "g")),
        ("m,k=v {name}=1,g=2i", ("m", "k", "v", "{name}", "g")),
        ("m,{name}=v f=1,g=2i", ("m", "{name}", "v", "f", "g")),
    ],
    ids=["measurement", "field", "tag key"],
)
def test_a_name_with_a_line_end_is_read_raw_in_windows_and_as_the_latest(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, line: str, expected: tuple[str, ...], name: str
) -> None:
    influx.write(influx_bucket, f"{line.replace('{name}', name)} {NOON}\nm2 f=3 {NOON}\n".encode())
    measurement, key, value, first, second = (one.replace("{name}", name) for one in expected)
    found = [
        sorted(
            [
                row(measurement, {key: value}, first, stamp, 1.0),
                row(measurement, {key: value}, second, stamp, 2),
                row("m2", {}, "f", stamp, 3.0),
            ]
        )
        for stamp in (NOON, DAY.stop_ns)
    ]
    assert read(store, influx_bucket, DAY) == found[0]
    assert read(store, influx_bucket, DAY, WHOLE_DAY) == found[1]
    assert latest(store, influx_bucket) == found[0]
    assert store.last_point(influx_bucket) == NOON


@pytest.mark.parametrize("value", [BEHIND_BACKSLASH, "a\rb", "a\r", "\r", "\\\n", "a\\\n\\\nb", 'q"\\\n"q', "a\r\rb"])
def test_a_tag_value_with_a_line_end_is_exact_and_never_another_value(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, value: str
) -> None:
    """Go's CSV writer drops carriage returns and doubles line feeds: two series would look like one."""
    influx.write(influx_bucket, f"m,host={value},z=1 f=1 {NOON}\nm,host=ab,z=1 f=2 {NOON}\n".encode())
    exact = sorted(
        [row("m", {"host": value, "z": "1"}, "f", NOON, 1.0), row("m", {"host": "ab", "z": "1"}, "f", NOON, 2.0)]
    )
    assert read(store, influx_bucket, DAY) == exact
    assert read(store, influx_bucket, DAY, tags=(("host", (value,)),)) == [one for one in exact if one.shown == "1.0"]
    assert latest(store, influx_bucket) == exact
    assert read(store, influx_bucket, DAY, WHOLE_DAY) == [one._replace(time_ns=DAY.stop_ns) for one in exact]


def test_many_rows_with_line_ends_are_cut_between_rows(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    lines = [
        f"m,host={number % 7}\\\n{number % 3} f={number},g={number}i {NOON + number}\n" for number in range(30_000)
    ]
    influx.write(influx_bucket, "".join(lines).encode())
    reading = store.read(Selection(influx_bucket, DAY))
    rows = collect(reading)
    assert len(rows) == 60_000
    assert {one.tags for one in rows} == {(("host", f"{left}\\\n{right}"),) for left in range(7) for right in range(3)}


@pytest.mark.parametrize("key", ["_start", "_stop", "_time", "_value"])
def test_a_tag_named_like_a_column_of_flux_is_a_tag(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, key: str
) -> None:
    """Copies made with a naive script have `_start` and `_stop` as tags.

    A Flux query over them panics in InfluxDB 2.9.1."""
    influx.write(influx_bucket, f'm,{key}=x f=1,s="t" {NOON}\nm,{key}=y f=2 {NOON}\nm f=3 {NOON}\nm2 f=4 {NOON}\n')
    for stamp, windows in ((NOON, None), (DAY.stop_ns, WHOLE_DAY)):
        expected = [
            row("m", {key: "x"}, "f", stamp, 1.0),
            row("m", {key: "x"}, "s", stamp, "t"),
            row("m", {key: "y"}, "f", stamp, 2.0),
            row("m", {}, "f", stamp, 3.0),
            row("m2", {}, "f", stamp, 4.0),
        ]
        assert read(store, influx_bucket, DAY, windows) == sorted(expected)
        assert read(store, influx_bucket, DAY, windows, tags=((key, ("y",)),)) == [
            row("m", {key: "y"}, "f", stamp, 2.0)
        ]
    assert [one.shown for one in latest(store, influx_bucket)] == ["3.0", "1.0", "'t'", "2.0", "4.0"]


@pytest.mark.parametrize(
    ("fn", "integer", "unsigned"),
    [
        (Fn.SUM, 2**53 + 3, 2**64 - 1),
        (Fn.MAX, 2**53 + 1, 2**64 - 1),
        (Fn.MIN, 2, 0),
        (Fn.SPREAD, 2**53 - 1, 2**64 - 1),
        (Fn.FIRST, 2**53 + 1, 2**64 - 1),
    ],
)
def test_whole_numbers_under_such_a_tag_stay_whole_and_exact(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, fn: Fn, integer: int, unsigned: int
) -> None:
    influx.write(influx_bucket, f"m,_start=x i={2**53 + 1}i,u={2**64 - 1}u {NOON}\nm,_start=x i=2i,u=0u {NOON + 1}\n")
    assert read(store, influx_bucket, DAY, Windows(parse_duration("1d", "every"), fn)) == [
        row("m", {"_start": "x"}, "i", DAY.stop_ns, integer),
        row("m", {"_start": "x"}, "u", DAY.stop_ns, unsigned, "unsigned"),
    ]


def test_a_field_that_was_signed_and_unsigned_under_a_name_with_a_line_end_keeps_both_types(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    earlier = at("2023-12-01T12:00:00Z")
    influx.write(
        influx_bucket,
        f"m\r,host=a\rb,room=x f=1u {earlier}\nm\r,host=ab f=2u {earlier + 1}\n"
        f"m\r,host=a\rb,room=x f=3i {NOON}\n".encode(),
    )
    assert read(store, influx_bucket, span("2023-12-01T00:00:00Z", "2024-01-02T00:00:00Z")) == [
        row("m\r", {"host": "a\rb", "room": "x"}, "f", earlier, 1, "unsigned"),
        row("m\r", {"host": "a\rb", "room": "x"}, "f", NOON, 3),
        row("m\r", {"host": "ab"}, "f", earlier + 1, 2, "unsigned"),
    ]


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "a\rb", "", " ", "=", "\\", "\\n", "a\\\\\nb", '"', "\r\n\r\n", "ä🌡", ",,", "true", "1"]
)
def test_the_latest_text_is_exact(store: InfluxStore, influx: InfluxServer, influx_bucket: str, text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    influx.write(influx_bucket, f'm,host=a s="{quoted}",f=1 {NOON}\n')
    assert latest(store, influx_bucket) == [
        row("m", {"host": "a"}, "f", NOON, 1.0),
        row("m", {"host": "a"}, "s", NOON, text),
    ]


def test_the_latest_of_a_field_that_was_text_in_another_shard(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    influx.write(influx_bucket, f'm f="old\r\ntext" {at("2023-06-01T00:00:00Z")}\nm f=4i,g=-0.0 {NOON}\n')
    assert latest(store, influx_bucket) == [row("m", {}, "f", NOON, 4), row("m", {}, "g", NOON, -0.0)]


def test_text_that_is_no_utf_8_is_refused_with_the_reason(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    influx.write(influx_bucket, b'm,host=a\xffb f=1 %d\nm2 s="a\xffb" %d\n' % (NOON, NOON))
    for measurement in ("m", "m2"):
        with pytest.raises(StoreFailed, match="not UTF-8"):
            read(store, influx_bucket, DAY, measurements=(measurement,))
        with pytest.raises(StoreFailed, match="not UTF-8"):
            read(store, influx_bucket, DAY, WHOLE_DAY, measurements=(measurement,))
