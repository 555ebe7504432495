"""Windows against raw points for every odd name on a real InfluxDB, and what its own dialects cannot say.

Those are some names of series and of buckets. Flux computes windows in storage, where a filter may quietly find
nothing; InfluxQL's scanner ends at NUL. Lines are written past the gateway, which would refuse some of them.
"""

import string
from collections.abc import Callable

import pytest

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Windows
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.errors import BUCKET_ERRORS
from service.stores.influx.store import InfluxStore
from tests.support.rows import Row, at, read, row, rows_of, span
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
WHOLE_DAY = Windows(parse_duration("1d", "every"), Fn.LAST)
MEANS = Windows(parse_duration("1d", "every"))
_LETTERS = [one for one in string.punctuation if one != "\\"] + [" "]
_WORDS = (
    "1",
    "1a",
    "and",
    "or",
    "not",
    "if",
    "true",
    "r",
    "SELECT",
    "time_",
    "name",
    "field",
    "table",
    "error",
    "value",
    "host",
    "_a",
    "_Start",
)
_OTHERS = (
    "%41",
    "${x}",
    "/a/",
    "é",
    "ä🌡",
    "a\\b",
    "\\b",
    "a'b\"c",
    "a\tb",
    "\x01",
    "a\x7fb",
    "a\0b",
    "a\rb",
    "Time",
    "TIME",
    "�",
)
NAMES = [*_LETTERS, *(f"a{one}b" for one in _LETTERS), *_WORDS, *_OTHERS]
Line = Callable[[int, str], str]


def escaped(name: str, letters: str) -> str:
    return "".join(f"\\{one}" if one in letters else one for one in name)


def at_stop(rows: list[Row]) -> list[Row]:
    return sorted(one._replace(time_ns=DAY.stop_ns) for one in rows)


KINDS: dict[str, tuple[Line, Callable[[str], dict[str, tuple[object, ...]]]]] = {
    "tag key": (
        lambda number, name: f"m{number},{escaped(name, ', =')}=v f={number}",
        lambda name: {"tags": ((name, ("v",)),)},
    ),
    "tag value": (
        lambda number, name: f"m,k={escaped(name, ', =')} f={number}",
        lambda name: {"tags": (("k", (name,)),)},
    ),
    "field": (lambda number, name: f"m,k=v {escaped(name, ', =')}={number}", lambda name: {"fields": (name,)}),
    "measurement": (
        lambda number, name: f"{escaped(name, ', ')},k=v f={number}",
        lambda name: {"measurements": (name,)},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_odd_name_selects_the_same_rows_raw_and_in_windows(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, kind: str
) -> None:
    line, chosen = KINDS[kind]
    names = [one for one in NAMES if not (kind == "measurement" and one.startswith("#"))]  # a comment, to InfluxDB
    influx.write(influx_bucket, "".join(f"{line(number, name)} {NOON + number}\n" for number, name in enumerate(names)))
    raw = read(store, influx_bucket, DAY)
    assert sorted(float(one.shown) for one in raw) == list(range(len(names)))
    wrong = []
    for number, name in enumerate(names):
        own = [one for one in raw if one.shown == repr(float(number))]
        found = (
            read(store, influx_bucket, DAY, **chosen(name)),
            read(store, influx_bucket, DAY, WHOLE_DAY, **chosen(name)),
        )
        if found != (own, at_stop(own)):
            wrong.append((name, *found))
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_odd_name_groups_windows_as_it_groups_raw_points(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, kind: str
) -> None:
    names = [one for one in NAMES if not (kind == "measurement" and one.startswith("#"))]
    influx.write(
        influx_bucket, "".join(f"{KINDS[kind][0](number, name)} {NOON + number}\n" for number, name in enumerate(names))
    )
    raw = read(store, influx_bucket, DAY)
    for windows in (WHOLE_DAY, MEANS):
        assert read(store, influx_bucket, DAY, windows) == at_stop(raw)
    latest = [one for frame in store.latest(influx_bucket, DAY, "").frames for one in rows_of(frame)]
    assert sorted(latest) == raw


def test_a_filter_on_a_key_that_flux_loses_is_right_for_every_function_and_for_clipped_windows(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    influx.write(
        influx_bucket,
        "".join(f"m,a@b={tag} f={number},i={number}i {NOON + number}\n" for tag in "vw" for number in range(5)),
    )
    influx.write(
        influx_bucket,
        "".join(f"n,ab={tag} f={number},i={number}i {NOON + number}\n" for tag in "vw" for number in range(5)),
    )
    clipped = TimeRange(DAY.start_ns + 1, NOON + 4)
    for fn in Fn:
        windows = Windows(parse_duration("10h", "every"), fn)
        odd = read(store, influx_bucket, clipped, windows, tags=(("a@b", ("v",)),))
        plain = read(store, influx_bucket, clipped, windows, tags=(("ab", ("v",)),))
        assert [one._replace(measurement="n", tags=(("ab", "v"),)) for one in odd] == plain
        assert plain


@pytest.mark.parametrize("line", ["m\0x,k=v f=1", "m,k\0x=v f=1", "m,k=v\0x f=1", "m,k=v f\0x=1"])
def test_a_nul_in_a_name_breaks_nothing(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str, line: str
) -> None:
    """Each was `failed to parse query` before.

    It was so for the series itself, the last point and the latest of the whole bucket."""
    influx.write(influx_bucket, f"{line} {NOON}\nm2,k=v f=2 {NOON - 1}\n")
    assert len(read(store, influx_bucket, DAY)) == len(read(store, influx_bucket, DAY, WHOLE_DAY)) == 2
    assert (store.first_point(influx_bucket), store.last_point(influx_bucket)) == (NOON - 1, NOON)
    assert sum(frame.num_rows for frame in store.latest(influx_bucket, DAY, "m").frames) == 2
    counted = store.count_points(influx_bucket, [one.name for one in store.schema(influx_bucket)], DAY, DAY.length_ns)
    assert counted in (None, {DAY.start_ns: 2})


@pytest.mark.parametrize("word", ["a\0b", "a\rb", "/lead", "tr/", "/", "beside/autogen"])
def test_a_bucket_that_influxql_cannot_find_is_refused_by_reads_and_writes_and_has_its_newest_point(
    store: InfluxStore, influx: InfluxServer, word: str
) -> None:
    """Made past the gateway. `tr/` beside `tr` gave the points of `tr` before."""
    for neighbour in ("tr", "beside"):
        influx.write(neighbour, f"wrong f=9 {NOON + 9}\n")
    influx.write(word, f"m f=1 {NOON}\n")
    assert store.last_point(word) == NOON
    assert word in [one.name for one in store.buckets()]
    for ask in (store.schema, lambda name: read(store, name, DAY), lambda name: store.latest(name, DAY, "m")):
        with pytest.raises(BUCKET_ERRORS, match="ename"):
            ask(word)


def test_a_deleted_series_under_an_odd_key_leaves_the_others(
    store: InfluxStore, influx: InfluxServer, influx_bucket: str
) -> None:
    for number, key in enumerate(("a@b", "$", "a$", "TIME")):
        influx.write(influx_bucket, f"m{number},{key}=v f=1 {NOON}\nm{number},{key}=w f=2 {NOON}\n")
        store.delete_points(influx_bucket, SeriesKey(f"m{number}", ((key, "v"),)), DAY)
        assert read(store, influx_bucket, DAY, measurements=(f"m{number}",)) == [
            row(f"m{number}", {key: "w"}, "f", NOON, 2.0)
        ]
