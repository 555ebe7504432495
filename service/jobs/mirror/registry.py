"""Where mirrors are written: the section `mirrors`, the file `mirrors.yaml`, or the settings of one mirror.

All three have the same members. A name in the section wins over the file, and the file over the settings.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ConfigDict, Field, RootModel, ValidationError, model_validator

from service.config.section import Section
from service.config.validation_errors import wrong_members
from service.domain.endpoint import Endpoint
from service.domain.mirror import Mirror
from service.domain.schedule import Schedule
from service.errors import ConfigurationError, InvalidParameter
from service.jobs.mirror.definitions import STORED, MirrorText
from service.jobs.mirror.endpoint_rules import DEFAULT_RULES, EndpointRules
from service.jobs.mirror.overlaps import refuse_overlaps

FILE_NAME = "mirrors.yaml"
SECTION = "mirrors"
_EXAMPLE = {
    "plant": {
        "source": {"url": "https://influx.example:8086", "org": "my-org", "token_env": "FLUXGATE_TOKEN_SOURCE"},
        "buckets": ["Weather"],
    }
}


def mirrors_section(
    own: Endpoint,
    elsewhere: Callable[[], Mapping[str, MirrorText]] = dict,
    rules: EndpointRules = DEFAULT_RULES,
) -> Section:
    """The section `mirrors`, by name; what cannot work is refused when it is stored, also beside those that are written `elsewhere`."""

    class Mirrors(RootModel[dict[str, MirrorText]]):
        model_config = ConfigDict(hide_input_in_errors=True)

        root: dict[str, MirrorText] = Field(default_factory=dict, max_length=200)

        @model_validator(mode="after")
        def _each(self) -> Self:
            mirrors = [_checked(name, text, own, rules) for name, text in self.root.items()]
            refuse_overlaps(mirrors)
            for other in _working({name: text for name, text in elsewhere().items() if name not in self.root}, own, rules):
                refuse_overlaps([*mirrors, other])
            return self

    return Section(SECTION, Mirrors, _EXAMPLE, "All members: docs/mirror.md.")


def _checked(name: str, text: MirrorText, own: Endpoint, rules: EndpointRules) -> Mirror:
    """A wrong member says whose it is."""
    try:
        return text.named(name, own, rules)
    except InvalidParameter as wrong:
        told = wrong.message if repr(name) in wrong.message else f"The mirror {name!r}: {wrong.message}"
        raise InvalidParameter(f"{name}.{wrong.parameter}", told) from None


def _working(texts: Mapping[str, MirrorText], own: Endpoint, rules: EndpointRules) -> Iterator[Mirror]:
    """One that cannot work (the variable of its token is not set) is none that others have to mind."""
    for name, text in sorted(texts.items()):
        with contextlib.suppress(InvalidParameter):
            yield text.named(name, own, rules)


class _File(RootModel[dict[str, MirrorText]]):
    root: dict[str, MirrorText]


class MirrorRegistry:
    """The mirrors of now. `section` gives the stored section; `default` is the mirror of the settings; `file` may not exist.

    `rules`: what their sides may name.
    """

    def __init__(
        self,
        section: Callable[[], Mapping[str, Any]],
        own: Endpoint,
        default: MirrorText | None,
        file: Path,
        rules: EndpointRules = DEFAULT_RULES,
    ) -> None:
        self._section = section
        self.own = own
        self._rules = rules
        self._default = default
        self._file = file
        self._kept: tuple[float, dict[str, MirrorText]] = (-1.0, {})
        """Replaced whole, so that threads need no lock: at worst two of them read the same file."""

    def texts(self) -> dict[str, MirrorText]:
        """Raises ConfigurationError when the file cannot be read."""
        section = {name: MirrorText.model_validate(text, context=STORED) for name, text in self._section().items()}
        return {**self.elsewhere(), **section}

    def elsewhere(self) -> dict[str, MirrorText]:
        """Those of the file and the settings. Raises ConfigurationError."""
        default = {} if self._default is None else {"cloud": self._default}
        return {**default, **self._of_file()}

    def names(self) -> list[str]:
        return sorted(self.texts())

    def get(self, name: str) -> Mirror:
        """Raises InvalidParameter: there is none, it cannot work, or another one writes one of its buckets."""
        texts = self.texts()
        if name not in texts:
            known = ", ".join(sorted(texts)) or "none; PUT /config/mirrors makes one"
            raise InvalidParameter("mirror", f"There is no mirror {name[:60]!r}. There are: {known}.")
        mirror = _checked(name, texts.pop(name), self.own, self._rules)
        for other in _working(texts, self.own, self._rules):
            refuse_overlaps((mirror, other))
        return mirror

    def others(self, name: str) -> Iterator[Mirror]:
        """All but `name` that can work."""
        return _working({other: text for other, text in self.texts().items() if other != name}, self.own, self._rules)

    def section(self) -> Section:
        """The section `mirrors`, checked also beside the mirrors of the file and the settings."""
        return mirrors_section(self.own, self.elsewhere, self._rules)

    def schedules(self) -> dict[str, Schedule]:
        """Of all mirrors that have one, by the schedule's name."""
        timed = (text.timed(name) for name, text in self.texts().items())
        return {one.name: one for one in timed if one is not None}

    def _of_file(self) -> dict[str, MirrorText]:
        """Read again when it changed."""
        try:
            changed_at = self._file.stat().st_mtime
        except FileNotFoundError:
            return {}
        kept_at, texts = self._kept
        if changed_at != kept_at:
            texts = read_file(self._file)
            self._kept = (changed_at, texts)
        return texts


def read_file(path: Path) -> dict[str, MirrorText]:
    """Mirrors by name. Raises ConfigurationError with the place that is wrong."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(found, dict):
            raise ConfigurationError(f"{path}: it holds no mirrors. Write a name and below it source, target and buckets.")
        return _File.model_validate({str(name): text for name, text in found.items()}).root
    except yaml.MarkedYAMLError as broken:  # its text shows the line, which may hold a token
        mark = broken.problem_mark
        place = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        raise ConfigurationError(f"{path} is no YAML{place}. Are all quotes, brackets and colons in their places?") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as broken:
        raise ConfigurationError(f"{path} cannot be read: {type(broken).__name__}") from None
    except ValidationError as broken:
        places = "; ".join(f"{place}: {reason}" for place, reason in wrong_members(broken))
        raise ConfigurationError(f"{path}: {places}.") from None
