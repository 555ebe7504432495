"""A measurement is declared once, and each point of it is exact or refused: read back by the gateway's own parser."""

import datetime as dt
import math
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxgate_client import InvalidRequest, Measurement, UInt, field, tag
from fluxgate_client.measurements import lines_of
from tests.unit.client.test_points import stored

T = 1_767_225_600_000_000_001


class Climate(Measurement, name="climate"):
    room: str = tag()
    floor: str | None = tag(default=None)
    celsius: float | None = field(default=None)
    runs: int | None = field(default=None)
    ticks: UInt | None = field(default=None)
    open: bool | None = field(default=None)
    note: str | None = field(default=None)


class Only(Measurement, name="only"):
    value: float = field()


class Rain(Measurement, name="Rain, 24 h"):
    station: str = tag(name="weather station")
    last_hour: float = field(name="1h")


def test_a_point_has_every_type_and_its_nanoseconds() -> None:
    points = [
        Climate(room="a, b", celsius=-0.0, runs=-(2**63), ticks=2**64 - 1, open=True, note='say "x"\n', time=T),
        Climate(room="b", floor="1", celsius=21, time=T + 1),
        Rain(station="x=y", last_hour=0.5, time=T + 2),
    ]
    lines, order = lines_of(points)
    assert order == {1: points[0], 3: points[1], 4: points[2]}  # the first has a line end in its text
    climate = {"room": "a, b"}
    assert stored(lines) == [
        ("climate", climate, "celsius", "float", T, -0.0),
        ("climate", climate, "note", "string", T, 'say "x"\n'),
        ("climate", climate, "open", "boolean", T, True),
        ("climate", climate, "runs", "integer", T, -(2**63)),
        ("climate", climate, "ticks", "unsigned", T, 2**64 - 1),
        ("climate", {"room": "b", "floor": "1"}, "celsius", "float", T + 1, 21.0),
        ("Rain, 24 h", {"weather station": "x=y"}, "1h", "float", T + 2, 0.5),
    ]
    assert math.copysign(1, stored(lines)[0][5]) == -1


def test_points_of_several_classes_are_named_by_their_lines() -> None:
    mixed = [Only(value=1.0, time=T), Rain(station="s", last_hour=1.0, time=T), Only(value=2.0, time=T + 1)]
    _, order = lines_of(mixed)
    assert order == {1: mixed[0], 2: mixed[2], 3: mixed[1]}


@given(value=st.floats(allow_nan=False, allow_infinity=False), text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_float_and_text_comes_back_to_the_bit(value: float, text: str) -> None:
    lines, _ = lines_of([Climate(room="r", celsius=value, note=text, time=T)])
    by_field = {row[2]: row[5] for row in stored(lines)}
    assert by_field["note"] == text
    assert np.float64(by_field["celsius"]).tobytes() == np.float64(value).tobytes()


@pytest.mark.parametrize(
    ("moment", "time_ns"),
    [
        (dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC), 1_767_225_600_000_001_000),
        (dt.datetime(2026, 1, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), 1_767_225_600_000_000_000),
        (dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC), -1_000),
        (pd.Timestamp("2026-01-01T00:00:00.000000001Z"), T),
        (np.int64(T), T),
        (T, T),
    ],
)
def test_a_time_is_exact(moment: object, time_ns: int) -> None:
    assert Only(value=1.0, time=moment).time_ns == time_ns  # type: ignore[arg-type]


def test_without_a_time_a_point_has_the_moment_at_which_it_was_made() -> None:
    first, second = Only(value=1.0), Only(value=1.0)
    assert abs(first.time_ns - dt.datetime.now(dt.UTC).timestamp() * 1e9) < 60e9
    assert first.time_ns <= second.time_ns


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"celsius": math.nan}, "Climate.celsius=nan cannot be stored. Leave the field out (None)"),
        ({"celsius": -math.inf}, "Climate.celsius=-inf cannot be stored"),
        ({"celsius": 10**400}, "cannot be stored"),
        ({"celsius": 2**53 + 1}, "is no float exactly"),
        ({"celsius": Fraction(1, 3)}, "is no float exactly"),
        ({"celsius": "21.5"}, "Climate.celsius='21.5' is no number. It is str: convert it yourself, with float(…)"),
        ({"celsius": True}, "is no number"),
        ({"runs": 1.0}, "Climate.runs=1.0 is no whole number. It is float"),
        ({"runs": 2**63}, "is outside -9223372036854775808 to 9223372036854775807"),
        ({"runs": True}, "is no whole number"),
        ({"ticks": -1}, "is outside 0 to 18446744073709551615"),
        ({"open": 1}, "is neither True nor False"),
        ({"note": 7}, "is no text. It is int: convert it yourself, with str(…)"),
        ({"note": "\ud800"}, "half a character"),
        ({}, "Climate has no value in any field"),
        ({"room": None, "runs": 1}, "Climate.room is missing. Declare it with | None"),
        ({"room": "", "runs": 1}, "InfluxDB stores no empty name"),
        ({"room": "a\nb", "runs": 1}, "no line end"),
        ({"room": "a\\", "runs": 1}, "backslash"),
        ({"room": 7, "runs": 1}, "is no text"),
        ({"runs": 1, "time": dt.datetime(2026, 1, 1)}, "has no time zone, so it names no instant. Add tzinfo"),
        ({"runs": 1, "time": "2026-01-01T00:00:00Z"}, "is no aware datetime"),
        ({"runs": 1, "time": np.datetime64("2026-01-01")}, "is no aware datetime"),
        ({"runs": 1, "time": 1.5}, "is no aware datetime"),
        ({"runs": 1, "time": 2**63}, "is outside 1677-09-21 to 2262-04-11"),
    ],
)
def test_what_cannot_be_stored_exactly_is_refused_when_the_point_is_made(
    members: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Climate(**{"room": "a", **members})  # type: ignore[arg-type]
    assert sentence in str(refused.value)


def test_values_of_numpy_are_those_of_python() -> None:
    point = Climate(room="a", celsius=np.float32(0.5), runs=np.int16(7), ticks=np.uint64(2**64 - 1), open=np.bool_(1))  # type: ignore[arg-type]
    assert (point.celsius, point.runs, point.ticks, point.open) == (0.5, 7, 2**64 - 1, True)
    assert type(point.runs) is int and type(point.open) is bool


def test_a_point_tells_what_it_stores() -> None:
    point = Rain(station="s", last_hour=0.5, time=T)
    assert (point.measurement, point.tags, point.fields) == ("Rain, 24 h", {"weather station": "s"}, {"1h": 0.5})
    assert Climate(room="r", open=False).fields == {"open": False}


def test_a_point_never_changes() -> None:
    with pytest.raises(AttributeError):
        Only(value=1.0).value = 2.0  # type: ignore[misc]


def test_a_class_without_a_name_is_a_base_for_others() -> None:
    class Placed(Measurement):
        building: str = tag()

    class Level(Placed, name="level"):
        metres: float = field()

    lines, _ = lines_of([Level(building="B", metres=1.5, time=T)])
    assert stored(lines) == [("level", {"building": "B"}, "metres", "float", T, 1.5)]
    with pytest.raises(InvalidRequest, match="Placed has no name"):
        Placed(building="B")


def test_a_wrong_declaration_is_refused_where_it_stands() -> None:
    def declare(sentence: str, name: str = "m", **members: object) -> None:
        annotations = {member: hint for member, (hint, _) in members.items()}  # type: ignore[misc, has-type]
        values = {member: mark for member, (_, mark) in members.items()}  # type: ignore[misc, has-type]
        with pytest.raises(InvalidRequest) as refused:
            type("Wrong", (Measurement,), {"__annotations__": annotations, "__module__": __name__, **values}, name=name)
        assert sentence in str(refused.value)

    value = (float, field())
    declare("Wrong has no field", room=(str, tag()))
    declare("Wrong.room is a tag, and a tag is text", room=(int, tag()), value=value)
    declare("Wrong.value is declared as <class 'complex'>", value=(complex, field()))
    declare("Wrong.value is declared as int | str", value=(int | str, field()))
    declare("Wrong.value is neither tag nor field", value=(float, 1.0))
    declare("Wrong.tags would hide what every point has under that name", tags=(str, tag()), value=value)
    declare("cannot be stored as '_time'", value=(float, field(name="_time")))
    declare("stores two members as 'x'", x=(str, tag()), y=(float, field(name="x")))
    declare("InfluxDB stores no empty name", name="", value=value)
    declare("the line would be a comment", name="#m", value=value)
    declare("no line end", value=(float, field(name="a\nb")))
    declare("have a type that Python does not find", value=("Nowhere", field()))
