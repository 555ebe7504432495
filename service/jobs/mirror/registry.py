"""All mirrors: those of the section `mirrors`, of the file `mirrors.yaml`, and the one of the settings.

All three have the same members. The section overrides a name in the file, and the file the settings.
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
from service.jobs.endpoint_rules import DEFAULT_RULES, EndpointRules
from service.jobs.mirror.definitions import STORED, MirrorText, refuse_name
from service.jobs.mirror.overlaps import refuse_impossible, refuse_overlaps

FILE_NAME = "mirrors.yaml"
SECTION = "mirrors"
_EXAMPLE = {
    "plant": {
        "source": {"url": "https://influx.example:8086", "org": "my-org", "token_env": "FLUXGATE_TOKEN_SOURCE"},
        "buckets": ["Weather"],
    }
}


def mirrors_section(
    own_store: Endpoint,
    outside_section: Callable[[], Mapping[str, MirrorText]] = dict,
    rules: EndpointRules = DEFAULT_RULES,
) -> Section:
    """The section `mirrors`. It refuses mirrors that cannot work, alone or with those that `outside_section` gives.

    Raises InvalidParameter when a value is checked.
    """

    class Mirrors(RootModel[dict[str, MirrorText]]):
        model_config = ConfigDict(hide_input_in_errors=True)

        root: dict[str, MirrorText] = Field(default_factory=dict, max_length=200)

        @model_validator(mode="after")
        def _each(self) -> Self:
            mirrors = [_checked(name, text, own_store, rules) for name, text in self.root.items()]
            refuse_overlaps(mirrors)
            others = {name: text for name, text in outside_section().items() if name not in self.root}
            for other in _valid_mirrors(others, own_store, rules):
                refuse_overlaps([*mirrors, other])
            return self

    return Section(SECTION, Mirrors, _EXAMPLE, "All members: docs/mirror.md.")


def _checked(name: str, text: MirrorText, own_store: Endpoint, rules: EndpointRules) -> Mirror:
    """The mirror. Raises InvalidParameter, whose text and parameter name the mirror."""
    with _parameter_of(name):
        refuse_name(name)
    try:
        mirror = text.parsed(name, own_store, rules)
    except InvalidParameter as wrong:
        raise InvalidParameter(f"{name}.{wrong.parameter}", f"The mirror {name!r}: {wrong.message}") from None
    with _parameter_of(name):
        refuse_impossible(mirror)
    return mirror


@contextlib.contextmanager
def _parameter_of(name: str) -> Iterator[None]:
    """Errors of the block name the mirror in their text; here their parameter gets its name, too."""
    try:
        yield
    except InvalidParameter as wrong:
        raise wrong.renamed(f"{name}.{wrong.parameter}") from None


def _valid_mirrors(texts: Mapping[str, MirrorText], own_store: Endpoint, rules: EndpointRules) -> Iterator[Mirror]:
    """The mirrors that can work. One that cannot (the variable of its token is not set) does not run into others."""
    for name, text in sorted(texts.items()):
        with contextlib.suppress(InvalidParameter):
            yield text.to_mirror(name, own_store, rules)


class _File(RootModel[dict[str, MirrorText]]):
    root: dict[str, MirrorText]


class MirrorRegistry:
    """The present mirrors.

    `section` gives the stored section. `default`: the mirror of the settings. `file` may not exist. `rules`: what the
    source and target of a mirror may be.
    """

    def __init__(
        self,
        section: Callable[[], Mapping[str, Any]],
        own_store: Endpoint,
        default: MirrorText | None,
        file: Path,
        rules: EndpointRules = DEFAULT_RULES,
    ) -> None:
        self.own_store = own_store
        self._section = section
        self._rules = rules
        self._default = default
        self._file = file
        self._kept: tuple[float, dict[str, MirrorText]] = (-1.0, {})
        """When the file changed that was read last, and its mirrors.

        It is replaced as a whole, so threads need no lock: at worst two of them read the same file.
        """

    def texts(self) -> dict[str, MirrorText]:
        """All mirrors as written, by name. Raises ConfigurationError when the file cannot be read."""
        section = {name: MirrorText.model_validate(text, context=STORED) for name, text in self._section().items()}
        return {**self.outside_section(), **section}

    def outside_section(self) -> dict[str, MirrorText]:
        """The mirrors of the file and the settings. Raises ConfigurationError."""
        default = {} if self._default is None else {"cloud": self._default}
        return {**default, **self._of_file()}

    def names(self) -> list[str]:
        """The names of all mirrors. Raises ConfigurationError."""
        return sorted(self.texts())

    def get(self, name: str) -> Mirror:
        """The mirror `name`.

        Raises InvalidParameter: there is none, it cannot work, or another mirror writes one of its buckets.
        """
        texts = self.texts()
        if name not in texts:
            names = ", ".join(sorted(texts)) or "none; PUT /config/mirrors makes one"
            raise InvalidParameter("mirror", f"There is no mirror {name[:60]!r}. There are: {names}.")
        mirror = _checked(name, texts.pop(name), self.own_store, self._rules)
        for other in _valid_mirrors(texts, self.own_store, self._rules):
            refuse_overlaps((mirror, other))
        return mirror

    def others(self, name: str) -> Iterator[Mirror]:
        """All mirrors but `name` that can work."""
        texts = {other: text for other, text in self.texts().items() if other != name}
        return _valid_mirrors(texts, self.own_store, self._rules)

    def section(self) -> Section:
        """The section `mirrors`, checked together with the mirrors of the file and the settings."""
        return mirrors_section(self.own_store, self.outside_section, self._rules)

    def schedules(self) -> dict[str, Schedule]:
        """The schedules of all mirrors that have one, by the schedule's name."""
        schedules = (text.to_schedule(name) for name, text in self.texts().items())
        return {schedule.name: schedule for schedule in schedules if schedule is not None}

    def _of_file(self) -> dict[str, MirrorText]:
        """The mirrors of the file, which is read again when it has changed."""
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
    """The mirrors of a file, by name. Raises ConfigurationError, which says where the file is wrong."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(document, dict):
            advice = "Write a name and below it source, target and buckets."
            raise ConfigurationError(f"{path}: it holds no mirrors. {advice}")
        return _File.model_validate({str(name): text for name, text in document.items()}).root
    except yaml.MarkedYAMLError as broken:  # the parser's message shows the line, which may hold a token
        mark = broken.problem_mark
        place = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        hint = "Are all quotes, brackets and colons in their places?"
        raise ConfigurationError(f"{path} is no YAML{place}. {hint}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as broken:
        raise ConfigurationError(f"{path} cannot be read: {type(broken).__name__}") from None
    except ValidationError as broken:
        places = "; ".join(f"{place}: {reason}" for place, reason in wrong_members(broken))
        raise ConfigurationError(f"{path}: {places}.") from None
