"""A Python class as a source, as people write it. Only classes that installed packages offer can be named.

Configuration that arrives over HTTP must not import any code. So `class` is compared with the entry points of the
group `fluxgate.sources`, and what is loaded is the entry point itself.
"""

import importlib.metadata
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.domain.near_names import near_names
from service.errors import InvalidParameter
from service.sources.rules import ENTRY_POINTS, SourceRules
from service.sources.store_text import settle_ns


@dataclass(frozen=True)
class PythonDefinition:
    """An installed class, and the options it is made with."""

    entry_point: importlib.metadata.EntryPoint
    options: dict[str, Any]
    settle_ns: int = 0


class PythonText(BaseModel):
    """`class` is `package.module:Class`, or the name that the package gives it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    class_name: str = Field(alias="class", min_length=1, max_length=500)
    options: dict[str, Any] = Field(default_factory=dict, max_length=100)
    settle: str | None = None

    def definition(self, place: str, rules: SourceRules) -> PythonDefinition:
        """The source, whose members stand at `place`. Nothing is imported. Raises InvalidParameter."""
        offered = list(rules.installed())
        for entry_point in offered:
            if self.class_name in (entry_point.name, entry_point.value):
                return PythonDefinition(entry_point, self.options, settle_ns(self.settle, f"{place}.settle"))
        near = near_names(self.class_name, (entry_point.value for entry_point in offered))
        hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
        raise InvalidParameter(
            f"{place}.class",
            f"No installed package offers the source {self.class_name[:100]!r}.{hint} Install the package that has it "
            f"where the gateway and its workers run, and name it among the package's entry points {ENTRY_POINTS!r} "
            "(docs/sources.md).",
        )
