"""The newest values: of each field and series in a span, by a word in the measurement's name."""

import pytest

from service.domain.timerange import TimeRange
from service.stores.protocol import Latest, Store
from tests.support.rows import Row, at, row, rows_of, store_all

NOON = at("2024-01-01T12:00:00Z")
SECOND_NS = 1_000_000_000
HALF_MINUTE = TimeRange(NOON - 30 * SECOND_NS, NOON)


def ago(seconds: int) -> int:
    return NOON - seconds * SECOND_NS


def rows(latest: Latest) -> list[Row]:
    found = sorted(one for frame in latest.frames for one in rows_of(frame))
    assert len({(one.measurement, one.tags, one.field) for one in found}) == len(found), "more than one row of a series"
    return found


def test_the_newest_value_of_each_field_and_series(store: Store, bucket: str) -> None:
    store_all(
        store,
        bucket,
        f"""a real,unit=1 p=1,q=10i {ago(20)}
a real,unit=1 p=2 {ago(10)}
a real,unit=2 p=3 {ago(5)}
real b s="x",t=true {ago(1)}
""".replace("a real", "a\\ real").replace("real b", "real\\ b"),
    )
    latest = store.latest(bucket, HALF_MINUTE, "real")
    assert rows(latest) == [
        row("a real", {"unit": "1"}, "p", ago(10), 2.0),
        row("a real", {"unit": "1"}, "q", ago(20), 10),
        row("a real", {"unit": "2"}, "p", ago(5), 3.0),
        row("real b", {}, "s", ago(1), "x"),
        row("real b", {}, "t", ago(1), True),
    ]
    assert latest.fields == {
        "a real": {"p": ("float",), "q": ("integer",)},
        "real b": {"s": ("string",), "t": ("boolean",)},
    }


def test_only_measurements_with_the_word_count(store: Store, bucket: str) -> None:
    store_all(
        store,
        bucket,
        f"unreal f=1 {ago(1)}\nReal f=2 {ago(1)}\nother f=3 {ago(1)}\nre%l f=4 {ago(1)}\nr.al f=5 {ago(1)}\n",
    )
    assert rows(store.latest(bucket, HALF_MINUTE, "real")) == [row("unreal", {}, "f", ago(1), 1.0)]


@pytest.mark.parametrize("word", ["re.l", "r%l", "r_al", "/", "a/b", "'", '"', "${x}", "\\", "(", "[a", "^x", "🌡"])
def test_the_word_is_plain_text(store: Store, bucket: str, word: str) -> None:
    store_all(store, bucket, f"real f=1 {ago(1)}\nx{word}x f=2 {ago(1)}\n")
    assert rows(store.latest(bucket, HALF_MINUTE, word)) == [row(f"x{word}x", {}, "f", ago(1), 2.0)]


def test_one_measurement_by_its_whole_name(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"real f=1 {ago(1)}\nreal2 f=2 {ago(1)}\nplain f=3 {ago(1)}\n")
    assert rows(store.latest(bucket, HALF_MINUTE, "real", ["real"])) == [row("real", {}, "f", ago(1), 1.0)]
    assert rows(store.latest(bucket, HALF_MINUTE, "real", ["rea", "other"])) == []


def test_the_span_is_half_open(store: Store, bucket: str) -> None:
    store_all(
        store,
        bucket,
        f"real,n=1 f=1 {ago(30) - 1}\nreal,n=2 f=2 {ago(30)}\nreal,n=3 f=3 {NOON - 1}\nreal,n=4 f=4 {NOON}\n",
    )
    assert rows(store.latest(bucket, HALF_MINUTE, "real")) == [
        row("real", {"n": "2"}, "f", ago(30), 2.0),
        row("real", {"n": "3"}, "f", NOON - 1, 3.0),
    ]


def test_a_silent_field_is_named_but_has_no_row(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'real f=1,silent=2i,text="x" {ago(3600)}\nreal f=3 {ago(1)}\n')
    latest = store.latest(bucket, HALF_MINUTE, "real")
    assert rows(latest) == [row("real", {}, "f", ago(1), 3.0)]
    assert latest.fields == {"real": {"f": ("float",), "silent": ("integer",), "text": ("string",)}}


def test_a_silent_measurement_is_left_out(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"real f=1 {ago(3600)}\n")
    latest = store.latest(bucket, HALF_MINUTE, "real")
    assert rows(latest) == []
    assert latest.fields == {}


def test_exact_values_come_through(store: Store, bucket: str) -> None:
    low, most = -(2**63), 2**64 - 1
    store_all(
        store,
        bucket,
        f'real a={low}i,b={most}u,c=-0.0,d=5e-324,e="",f="two\nlines" {ago(1) + 1}\n'.replace("\nlines", "\\nlines"),
    )
    assert rows(store.latest(bucket, HALF_MINUTE, "real")) == [
        row("real", {}, "a", ago(1) + 1, low),
        row("real", {}, "b", ago(1) + 1, most, "unsigned"),
        row("real", {}, "c", ago(1) + 1, -0.0),
        row("real", {}, "d", ago(1) + 1, 5e-324),
        row("real", {}, "e", ago(1) + 1, ""),
        row("real", {}, "f", ago(1) + 1, "two\\nlines"),
    ]
