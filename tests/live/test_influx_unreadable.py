"""Names and texts that are not UTF-8, on a real InfluxDB: refused and named, and never taken for another name.

InfluxDB's JSON gives U+FFFD for such a byte. The name was asked for as that, was not found, and its points vanished.
"""

import pytest

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Windows
from service.domain.series import SeriesKey
from service.errors import InvalidParameter, UnreadableText
from service.stores.influx.store import InfluxStore
from tests.support.rows import Row, at, read, row, rows_of, span
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
MEAN = Windows(parse_duration("1d", "every"))
LAST = Windows(parse_duration("1d", "every"), Fn.LAST)
COUNT = Windows(parse_duration("1d", "every"), Fn.COUNT)
ODD = {
    "measurement": (b"m\xfc v=1", r"the measurement m\\xfc"),
    "tag key": (b"m,k\xfc=1 v=1", r"the tag key k\\xfc of the measurement m"),
    "field": (b"m f\xfc=3", r"the field f\\xfc of the measurement m"),
    "tag value": (b"m,k=a\xfc v=1", "in the measurement 'm'"),
    "text": (b'm v="a\xfc"', "in the measurement 'm'"),
}


def stored(influx: InfluxServer, bucket: str, kind: str) -> str:
    """A bucket with the odd name, and a measurement `ok`; what an error says of it."""
    line, named = ODD[kind]
    influx.write(bucket, line + b" %d\nok v=2 %d\n" % (NOON, NOON - 1))
    return named


@pytest.mark.parametrize("kind", ODD)
def test_a_read_that_selects_it_is_refused_and_names_it(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, kind: str
) -> None:
    """Was 200 without the point."""
    named = stored(influx, influx_bucket, kind)
    for windows in (None, LAST) if kind == "text" else (None, LAST, MEAN, COUNT):  # means and counts read no text
        with pytest.raises(UnreadableText, match=named):
            read(store, influx_bucket, DAY, windows)


@pytest.mark.parametrize("kind", ODD)
def test_what_does_not_select_it_is_read(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, kind: str
) -> None:
    stored(influx, influx_bucket, kind)
    assert read(store, influx_bucket, DAY, measurements=("ok",)) == [row("ok", {}, "v", NOON - 1, 2.0)]
    if kind == "field":
        influx.write(influx_bucket, f"m v=4 {NOON}\n")
        assert read(store, influx_bucket, DAY, measurements=("m",), fields=("v",)) == [row("m", {}, "v", NOON, 4.0)]


@pytest.mark.parametrize("kind", ["measurement", "tag key", "field"])
def test_the_schema_names_it(store: InfluxStore, influx: InfluxServer, influx_bucket: str, kind: str) -> None:
    stored(influx, influx_bucket, kind)
    (odd,) = [one for one in store.schema(influx_bucket) if one.unreadable]
    assert [name.kind for name in odd.unreadable] == [kind]
    assert odd.unreadable[0].shown.endswith("\\xfc")


@pytest.mark.parametrize("kind", ODD)
def test_the_latest_is_that_of_the_other_measurements_and_names_it(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, kind: str
) -> None:
    stored(influx, influx_bucket, kind)
    for _ in range(2):  # asked, then remembered
        latest = store.latest(influx_bucket, DAY, "")
        assert [one for frame in latest.frames for one in rows_of(frame)] == [row("ok", {}, "v", NOON - 1, 2.0)]
        assert latest.unread == ("m\\xfc" if kind == "measurement" else "m",)
        assert latest.fields == {"ok": {"v": ("float",)}}


@pytest.mark.parametrize("kind", ODD)
def test_its_point_counts_as_the_newest_and_oldest(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, kind: str
) -> None:
    stored(influx, influx_bucket, kind)
    influx.write(influx_bucket, ODD[kind][0] + b" %d\n" % (NOON - 9))
    assert (store.first_point(influx_bucket), store.last_point(influx_bucket)) == (NOON - 9, NOON)


def test_a_delete_in_a_measurement_with_such_a_name_is_refused(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    influx.write(influx_bucket, b"m,k\xfc=1 v=1 %d\nm,j=a v=2 %d\nok,j=a v=3 %d\n" % (NOON, NOON, NOON))
    with pytest.raises(InvalidParameter, match="not UTF-8"):
        store.delete_points(influx_bucket, SeriesKey("m", (("j", "a"),)), DAY)
    store.delete_points(influx_bucket, SeriesKey("ok", (("j", "a"),)), DAY)
    assert [one.name for one in store.schema(influx_bucket)] == ["m"]


def test_a_real_replacement_character_is_a_name_like_any_other(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    """Beside names with a byte in its place."""
    influx.write(influx_bucket, f"m\ufffd,k\ufffd=v\ufffd f\ufffd=1 {NOON}\n".encode() + b"m\xfc f=2 %d\n" % NOON)
    own: list[Row] = [row("m\ufffd", {"k\ufffd": "v\ufffd"}, "f\ufffd", NOON, 1.0)]
    assert read(store, influx_bucket, DAY, measurements=("m\ufffd",)) == own
    assert len(read(store, influx_bucket, DAY, LAST, measurements=("m\ufffd",))) == 1
    assert read(store, influx_bucket, DAY, measurements=("m\ufffd",), tags=(("k\ufffd", ("v\ufffd",)),)) == own
    store.delete_points(influx_bucket, SeriesKey("m\ufffd", (("k\ufffd", "v\ufffd"),)), DAY)
    assert [one.name for one in store.schema(influx_bucket)] == ["m\\xfc"]
