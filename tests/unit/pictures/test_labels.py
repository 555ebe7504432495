"""What the series of a picture are called."""

from dataclasses import replace

from service.domain.series import SeriesKey
from service.pictures.labels import labels
from tests.unit.pictures.charts import series


def test_a_series_alone_is_called_by_measurement_and_field() -> None:
    assert labels([series("power", [1], meter="a", site="Roof")]) == ["site power"]


def test_only_what_differs_is_named() -> None:
    meters = [series("power", [1], meter="a", site="Roof"), series("power", [1], meter="b", site="Roof")]
    assert labels(meters) == ["meter=a", "meter=b"]
    assert labels([*meters, series("voltage", [1], meter="a", site="Roof")]) == [
        "power, meter=a",
        "power, meter=b",
        "voltage, meter=a",
    ]


def test_a_tag_that_a_series_lacks_is_left_out() -> None:
    assert labels([series("power", [1], meter="a"), series("power", [1])]) == ["meter=a", "power"]


def test_measurements_are_named_where_there_are_several() -> None:
    other = replace(series("power", [1]), key=SeriesKey("real_site"))
    assert labels([series("power", [1]), other]) == ["site power", "real_site power"]
    assert labels([]) == []
