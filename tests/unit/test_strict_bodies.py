"""JSON bodies mean what they say: no text for a number, no number for a truth value.

Every model that reads one is held to it.
"""

import typing
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from service.api.schemas import NewBucket
from service.config.coordinates import Coordinates
from service.features.mirror.schemas import MirrorOrder
from service.jobs.mirror.definitions import InfluxText, MirrorText, PairText
from service.jobs.schedule_section import ScheduleText

READ: list[type[BaseModel]] = [NewBucket, MirrorOrder, MirrorText, InfluxText, PairText, ScheduleText, Coordinates]
_LOOKALIKES: dict[type, list[object]] = {
    bool: ["true", "yes", "1", 1, 0, 1.0],
    float: ["12", "1e3", True, False],
    int: ["12", True, 1.0],
}


def plain_members() -> Iterator[tuple[str, FieldInfo, object]]:
    """Each member of a number or truth value, with something that only looks like one."""
    for model in READ:
        for name, member in model.model_fields.items():
            kinds = set(typing.get_args(member.annotation)) | {member.annotation}
            for kind in kinds & _LOOKALIKES.keys():
                for value in _LOOKALIKES[kind]:
                    yield f"{model.__name__}.{name}={value!r}", member, value


def test_no_member_takes_what_only_looks_like_its_type() -> None:
    taken = []
    for told, member, value in plain_members():
        try:
            TypeAdapter(typing.Annotated[member.annotation, member]).validate_python(value)
        except ValidationError:
            continue
        taken.append(told)
    assert taken == []


def test_the_walk_finds_members() -> None:
    assert {told.partition("=")[0] for told, _, _ in plain_members()} >= {
        "Coordinates.latitude",
        "MirrorOrder.dry_run",
        "ScheduleText.enabled",
    }


@pytest.mark.parametrize("value", [{"latitude": "12"}, {"longitude": True}, {"latitude": [1]}])
def test_coordinates_are_numbers(value: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="valid number"):
        Coordinates.model_validate(value)


def test_a_whole_number_is_a_coordinate() -> None:
    assert Coordinates.model_validate({"latitude": 12, "longitude": -13.5}).latitude == 12.0
