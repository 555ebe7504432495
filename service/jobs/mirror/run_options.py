"""The options of a run, out of the parameters of its job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.timerange import TimeRange, parse_range
from service.errors import InvalidParameter
from service.jobs.parameters import refuse_unknown

_SWITCHES = {"dry_run", "again", "verify"}
_PARAMETERS = {"mirror", "bucket", "start", "stop", *_SWITCHES}


@dataclass(frozen=True)
class RunOptions:
    """`bucket`: only this bucket of the source. `span` None: as the mirror says. `dry_run`: change nothing.

    `again`: also copy slices that were partial or extra. `verify`: compare every value, and change nothing.
    """

    bucket: str | None = None
    span: TimeRange | None = None
    dry_run: bool = False
    again: bool = False
    verify: bool = False

    @property
    def changes_nothing(self) -> bool:
        return self.dry_run or self.verify

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "RunOptions":
        """Raises InvalidParameter."""
        for name, value in parameters.items():
            expected_type, description = (bool, "true or false") if name in _SWITCHES else (str, "a text")
            if value is not None and not isinstance(value, expected_type):
                raise InvalidParameter(name, f"{name}={value!r} is not {description}.")
        switches = {name: bool(parameters.get(name)) for name in _SWITCHES}
        return cls(parameters.get("bucket"), _span(parameters), **switches)


def mirror_name(parameters: Mapping[str, Any]) -> str:
    """The name of the mirror to run. Raises InvalidParameter, also for an unknown parameter."""
    refuse_unknown("A mirror", parameters, _PARAMETERS)
    name = parameters.get("mirror")
    if not isinstance(name, str):
        raise InvalidParameter("mirror", "Name the mirror.")
    return name


def _span(parameters: Mapping[str, Any]) -> TimeRange | None:
    start, stop = parameters.get("start"), parameters.get("stop")
    if start is None and stop is None:
        return None
    if start is None or stop is None:
        raise InvalidParameter("start" if start is None else "stop", "Give start and stop together.")
    return parse_range(start, stop)
