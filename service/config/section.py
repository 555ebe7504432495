"""What a section of the runtime configuration is.

Each package makes its own sections, and `service.wiring` registers them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

_NAME = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
"""The column for the name is 64 characters wide."""


@dataclass(frozen=True)
class Section:
    """A value that is read and replaced as a whole, at `/config/{name}`.

    `model` checks the value. Made without arguments, it is the value of a section that was never set. `example` and
    `description` are for the API's document. Raises ValueError for a name that no row can have.
    """

    name: str
    model: type[BaseModel]
    example: Mapping[str, Any]
    description: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a section. Use 1 to 64 small letters and underscores.")
