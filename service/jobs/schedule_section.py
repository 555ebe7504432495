"""The section `schedules`: jobs of any kind that run by themselves, as people write them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from service.config.section import Section
from service.domain.schedule import Missed, Schedule
from service.errors import InvalidParameter
from service.jobs.kind import JobKind

NAME = "schedules"
_EXAMPLE = {
    "plant at night": {
        "kind": "mirror",
        "parameters": {"mirror": "plant"},
        "cron": "30 2 * * *",
        "zone": "Europe/Berlin",
    }
}


class ScheduleText(BaseModel):
    """A schedule as it is written, under its name."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    cron: str | None = None
    zone: str = "UTC"
    every: str | None = None
    missed: Missed = Missed.RUN_ONCE
    enabled: bool = Field(True, strict=True)
    at_start: bool = Field(False, strict=True)

    def named(self, name: str) -> Schedule:
        """Raises InvalidParameter."""
        return Schedule(name=name, **self.model_dump())


def schedules_section(check: Callable[[Schedule], object], scheduling: Iterable[JobKind] = ()) -> Section:
    """`check` raises InvalidParameter for a kind or parameters that are wrong.

    `scheduling`: kinds whose configuration makes schedules; names that begin with their prefixes are refused.
    """
    kinds = tuple(scheduling)

    class Schedules(RootModel[dict[str, ScheduleText]]):
        root: dict[str, ScheduleText] = Field(default_factory=dict, max_length=1000)

        @model_validator(mode="after")
        def _each(self) -> "Schedules":
            for name, text in self.root.items():
                _refuse_name(name, kinds)
                _refuse_wrong(name, text, check)
            return self

    return Section(NAME, Schedules, _EXAMPLE, "All members: docs/jobs.md.")


def named(section: Mapping[str, Any]) -> dict[str, Schedule]:
    """The schedules of a stored section."""
    return {name: ScheduleText.model_validate(text).named(name) for name, text in section.items()}


def _refuse_name(name: str, scheduling: Iterable[JobKind]) -> None:
    if not 0 < len(name) <= 200:
        raise ValueError("a schedule's name has 1 to 200 characters")
    for kind in scheduling:
        if name.startswith(kind.schedule_prefix):
            raise InvalidParameter(
                name,
                f"The schedule {name!r}: names that begin with {kind.schedule_prefix!r} are the {kind.name}s' own. "
                "Take another.",
            )


def _refuse_wrong(name: str, text: ScheduleText, check: Callable[[Schedule], object]) -> None:
    try:
        check(text.named(name))
    except InvalidParameter as wrong:
        message = wrong.message if repr(name) in wrong.message else f"The schedule {name!r}: {wrong.message}"
        raise InvalidParameter(f"{name}.{wrong.parameter}", message) from None
