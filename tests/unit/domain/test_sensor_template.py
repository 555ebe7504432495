"""Names of sensors are made as the template says, and a template that cannot name a series is refused."""

import pytest

from service.domain.schema import FieldType
from service.domain.sensor_template import TagMissing, parse_template
from service.domain.series import FieldSeries, SeriesKey
from service.errors import InvalidParameter

SERIES = FieldSeries(SeriesKey("climate", (("a.b", "x"), ("room", "{n} 1"))), "temp", FieldType.FLOAT)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{measurement}.{field}", "climate.temp"),
        ("{field}", "temp"),
        ("{tag.room}/{tag.a.b}", "{n} 1/x"),
        ("{{{field}}}", "{temp}"),
        ("urn:é\n{field}", "urn:é\ntemp"),
    ],
)
def test_a_name(text: str, name: str) -> None:
    assert parse_template(text, "sensor").name(SERIES) == name


def test_a_missing_tag_is_named() -> None:
    with pytest.raises(TagMissing) as missing:
        parse_template("{tag.floor}", "sensor").name(SERIES)
    assert missing.value.key == "floor"


@pytest.mark.parametrize(
    "text", ["", "x", "{{field}}", "{", "}", "{field", "field}", "{tag}", "{tag.}", "{Field}", "{}"]
)
def test_a_template_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_template(text, "sensor")
