"""Filters: "or" within one of them, "and" between them, and exact names only."""

import pytest

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Windows
from service.stores.protocol import Store
from tests.support.rows import at, read, row, span, store_all

DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
LINES = f"""cpu,host=a,room=x load=1,temp=10 {NOON}
cpu,host=b,room=x load=2,temp=20 {NOON}
cpu,host=c,room=y load=3,temp=30 {NOON}
cpu load=4 {NOON}
disk,host=a used=5 {NOON}
disk,rack=r used=6 {NOON}
"""
WHOLE_DAY = Windows(parse_duration("1d", "every"), Fn.SUM)


@pytest.mark.parametrize("windows", [None, WHOLE_DAY], ids=["raw", "sum"])
@pytest.mark.parametrize(
    ("filters", "values"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 10, 20, 30]),
        ({"measurements": ("disk",)}, [5, 6]),
        ({"measurements": ("disk", "cpu")}, [1, 2, 3, 4, 5, 6, 10, 20, 30]),
        ({"measurements": ("nothing",)}, []),
        ({"fields": ("load",)}, [1, 2, 3, 4]),
        ({"fields": ("load", "used")}, [1, 2, 3, 4, 5, 6]),
        ({"tags": (("host", ("a",)),)}, [1, 5, 10]),
        ({"tags": (("host", ("a", "b")),)}, [1, 2, 5, 10, 20]),
        ({"tags": (("host", ("a", "b")), ("room", ("x",)))}, [1, 2, 10, 20]),
        ({"tags": (("host", ("c",)), ("room", ("x",)))}, []),
        ({"tags": (("nothing", ("a",)),)}, []),
        ({"tags": (("host", ("A",)),)}, []),
        ({"tags": (("host", ("",)),)}, []),
        ({"tags": (("host", ("", "a")),)}, [1, 5, 10]),
        ({"tags": (("host", ("",)), ("room", ("x",)))}, []),
        ({"tags": (("rack", ("", "r")),)}, [6]),
        ({"measurements": ("cpu",), "fields": ("load",), "tags": (("room", ("x", "y")),)}, [1, 2, 3]),
        ({"measurements": ("disk",), "fields": ("load",)}, []),
    ],
)
def test_filters_select(
    store: Store, bucket: str, windows: Windows | None, filters: dict[str, tuple[object, ...]], values: list[int]
) -> None:
    store_all(store, bucket, LINES)
    found = read(store, bucket, DAY, windows, **filters)
    assert sorted(float(one.shown) for one in found) == [float(value) for value in values]


@pytest.mark.parametrize("windows", [None, WHOLE_DAY, Windows(WHOLE_DAY.every_ns, Fn.LAST)], ids=["raw", "sum", "last"])
@pytest.mark.parametrize("complete_rows", [False, True], ids=["long", "wide"])
@pytest.mark.parametrize(
    ("values", "loads"), [(("",), []), (("", ""), []), (("", "a"), [1.0]), (("a", ""), [1.0]), (("", "zz"), [])]
)
def test_an_empty_tag_value_is_none_and_never_the_series_without_the_tag(
    store: Store, bucket: str, windows: Windows | None, complete_rows: bool, values: tuple[str, ...], loads: list[float]
) -> None:
    """InfluxQL takes `''` for absent. The text is read by another road than the numbers."""
    store_all(
        store,
        bucket,
        f'cpu,host=a load=1,note="x" {NOON}\ncpu load=2,note="y" {NOON}\ncpu,host=b load=3,note="z" {NOON}\n',
    )
    rows = read(store, bucket, DAY, windows, complete_rows=complete_rows, tags=(("host", values),))
    assert [float(one.shown) for one in rows if one.field == "load"] == loads
    assert [one.shown for one in rows if one.field == "note"] == ([] if windows == WHOLE_DAY else ["'x'"] * len(loads))


@pytest.mark.parametrize("windows", [None, WHOLE_DAY], ids=["raw", "sum"])
@pytest.mark.parametrize(
    "value",
    [
        "a b",
        'q"q',
        "it's",
        "${x}",
        "a\\b",
        "a,b=c",
        "/.*/",
        ".*",
        "%",
        "a' or 'a'='a",
        'a" or true //',
        "\\x41",
        "naïve 🌡",
    ],
)
def test_a_hostile_tag_value_selects_itself_alone(
    store: Store, bucket: str, windows: Windows | None, value: str
) -> None:
    escaped = value
    for letter in ",= ":
        escaped = escaped.replace(letter, f"\\{letter}")
    store_all(store, bucket, f"m,host={escaped} f=1 {NOON}\nm,host=A f=2 {NOON}\nm f=3 {NOON}\n")
    stamp = NOON if windows is None else DAY.stop_ns
    assert read(store, bucket, DAY, windows, tags=(("host", (value,)),)) == [row("m", {"host": value}, "f", stamp, 1.0)]


@pytest.mark.parametrize("name", [".*", "f.", "%", "f' or 'x'='x", 'f") or true //', "${r._field}"])
def test_a_hostile_field_or_measurement_filter_matches_nothing_else(store: Store, bucket: str, name: str) -> None:
    store_all(store, bucket, f"m f=1,ff=2 {NOON}\n")
    for windows in (None, WHOLE_DAY):
        assert read(store, bucket, DAY, windows, fields=(name,)) == []
        assert read(store, bucket, DAY, windows, measurements=(name,)) == []
        assert read(store, bucket, DAY, windows, tags=((name, ("x",)),)) == []


@pytest.mark.parametrize("windows", [None, WHOLE_DAY], ids=["raw", "sum"])
@pytest.mark.parametrize(
    "key",
    [
        "@",
        "a@b",
        "@x",
        "$",
        "a$b",
        "${k}",
        "Time",
        "TIME",
        "name",
        "r",
        "and",
        "time stamp",
        "value",
        "k'k",
        'k"k',
        "k\\k",
        "ä🌡",
    ],
)
def test_an_odd_tag_key_filters_and_stands_beside_its_value(
    store: Store, bucket: str, windows: Windows | None, key: str
) -> None:
    """Flux finds nothing under a key with `@` or the key `$`; InfluxQL takes every `Time` for the time."""
    store_all(
        store,
        bucket,
        f"m,{key.replace(' ', chr(92) + ' ')}=v,host=a f=1 {NOON}\nm,host=a f=2 {NOON}\n"
        f"m,{key.replace(' ', chr(92) + ' ')}=w f=3 {NOON}\n",
    )
    stamp = NOON if windows is None else DAY.stop_ns
    one, other = row("m", {key: "v", "host": "a"}, "f", stamp, 1.0), row("m", {key: "w"}, "f", stamp, 3.0)
    assert read(store, bucket, DAY, windows, tags=((key, ("v",)),)) == [one]
    assert read(store, bucket, DAY, windows, tags=((key, ("v", "w", "")),)) == sorted([one, other])
    assert read(store, bucket, DAY, windows, tags=((key, ("v", "w")), ("host", ("a",)))) == [one]
    assert read(store, bucket, DAY, windows, tags=((key, ("x",)),)) == []
    assert read(store, bucket, DAY, windows, tags=((key, ("",)),), complete_rows=True) == []
    assert read(store, bucket, DAY, windows) == sorted([one, other, row("m", {"host": "a"}, "f", stamp, 2.0)])
