"""An unknown member is named with those that look like it, wherever in a section it stands."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from service.config.coordinates import Coordinates
from service.config.near_members import near_members
from service.config.validation_errors import wrong_members
from service.jobs.forward.registry import connectors_section
from service.jobs.weather.definitions import WeatherText
from tests.support.forwarding import RULES, TEXT

CONNECTORS = connectors_section(RULES).model
UPSTREAM = TEXT["upstream"]


def connector(**members: Any) -> dict[str, Any]:
    return {"c": {**TEXT, **members}}


@pytest.mark.parametrize(
    ("model", "value", "member", "near"),
    [
        (Coordinates, {"longitud": 1}, "longitud", "longitude or latitude"),
        (Coordinates, {"colour": "red"}, "colour", None),
        (WeatherText, {"places": {"H": {"latitude": 1, "longitude": 2, "sorce": 3}}}, "places.H.sorce", None),
        (WeatherText, {"place": {}}, "place", "places"),
        (CONNECTORS, connector(windows="5m"), "c.windows", "window"),
        (CONNECTORS, connector(upstream={**UPSTREAM, "max_point": 1}), "c.upstream.max_point", "max_points"),
        (
            CONNECTORS,
            connector(upstream={**UPSTREAM, "auth": {"kind": "bearer", "token": "x", "tokn_env": "F"}}),
            "c.upstream.auth.tokn_env",
            "token_env or token",
        ),
        (
            CONNECTORS,
            connector(source={"store": {"bucket": "b", "measurment": "x"}}),
            "c.source.store.measurment",
            "measurement",
        ),
    ],
)
def test_an_unknown_member_is_named_with_its_like(
    model: type[BaseModel], value: object, member: str, near: str | None
) -> None:
    with pytest.raises(ValidationError) as broken:
        model.model_validate(value)
    hint = f" (did you mean {near}?)" if near else ""
    assert wrong_members(broken.value, model)[0] == (member, f"there is no such member{hint}")


def test_a_place_that_cannot_be_followed_has_no_like() -> None:
    assert near_members(Coordinates, ("latitude", "deep", 3, "longitud")) == ()
