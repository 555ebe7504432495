"""All connectors: those of the section `connectors`, and `default`, the one of the settings.

The section overrides `default`, where it has one of that name.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field, RootModel, model_validator

from service.config.section import Section
from service.domain.schedule import Schedule
from service.errors import InvalidParameter
from service.jobs.forward.connector import Connector
from service.jobs.forward.definitions import ConnectorRules, ConnectorText
from service.upstream.config import Upstream

SECTION = "connectors"
DEFAULT = "default"
_EXAMPLE = {
    "cloud": {
        "source": {"store": {"bucket": "Plant"}},
        "upstream": {
            "url": "https://cloud.example/api/readings",
            "auth": {"kind": "bearer", "token_env": "FLUXGATE_TOKEN_CLOUD"},
        },
        "every": "00:05:00",
        "window": "5m",
    }
}
_NONE_CONFIGURED = (
    "No connector is configured, so there is no endpoint to send to. "
    "Set POST_DATA_ENDPOINT, or PUT /config/connectors makes one; docs/connector.md says how."
)


def connectors_section(rules: ConnectorRules) -> Section:
    """The section `connectors`. It refuses connectors that cannot work."""

    class Connectors(RootModel[dict[str, ConnectorText]]):
        model_config = ConfigDict(hide_input_in_errors=True)

        root: dict[str, ConnectorText] = Field(default_factory=dict, max_length=200)

        @model_validator(mode="after")
        def _each(self) -> Self:
            for name, text in self.root.items():
                checked(name, text, rules)
            return self

    return Section(SECTION, Connectors, _EXAMPLE, "All members: docs/connector.md.")


def checked(name: str, text: ConnectorText, rules: ConnectorRules) -> tuple[Connector, Upstream]:
    """The connector and its upstream. Raises InvalidParameter, whose text and parameter name the connector."""
    try:
        return text.to_connector(name, rules)
    except InvalidParameter as wrong:
        raise InvalidParameter(
            f"{name[:80]}.{wrong.parameter}", f"The connector {name[:80]!r}: {wrong.message}"
        ) from None


class ConnectorRegistry:
    """The present connectors.

    `section` gives the stored section. `default`: the connector of the settings. `rules`: what connectors may name.
    """

    def __init__(
        self,
        section: Callable[[], Mapping[str, Any]],
        default: ConnectorText | None,
        rules: ConnectorRules,
    ) -> None:
        self._section = section
        self._default = default
        self.rules = rules

    def texts(self) -> dict[str, ConnectorText]:
        """All connectors as written, by name."""
        default = {} if self._default is None else {DEFAULT: self._default}
        return {**default, **{name: ConnectorText.model_validate(text) for name, text in self._section().items()}}

    def names(self) -> list[str]:
        """The names of all connectors. None of them is read, so that it costs little for many."""
        return sorted({*(() if self._default is None else (DEFAULT,)), *self._section()})

    def text(self, name: str) -> ConnectorText:
        """The connector as written; no other is read. Raises InvalidParameter: there is none of this name."""
        section = self._section()
        if name in section:
            return ConnectorText.model_validate(section[name])
        if name == DEFAULT and self._default is not None:
            return self._default
        names = self.names()
        if not names:
            raise InvalidParameter("connector", _NONE_CONFIGURED)
        raise InvalidParameter("connector", f"There is no connector {name[:60]!r}. There are: {', '.join(names)}.")

    def identity(self, name: str) -> str | None:
        """The identity that the connector `name` has now; no other is read. None: there is none of this name."""
        try:
            return self.text(name).identity()
        except InvalidParameter:
            return None

    def get(self, name: str) -> Connector:
        """The connector `name`. Raises InvalidParameter: there is none, or it cannot work."""
        return checked(name, self.text(name), self.rules)[0]

    def name_of(self, asked: str | None) -> str:
        """The connector that is meant: `asked`, else `default`, else the only one. Raises InvalidParameter."""
        if asked is not None:
            return asked
        names = self.names()
        if DEFAULT in names or len(names) == 1:
            return DEFAULT if DEFAULT in names else names[0]
        if not names:
            raise InvalidParameter("connector", _NONE_CONFIGURED)
        raise InvalidParameter("connector", f"Name the connector. There are: {', '.join(names)}.")

    def section(self) -> Section:
        """The section `connectors`."""
        return connectors_section(self.rules)

    def schedules(self) -> dict[str, Schedule]:
        """The schedules of all connectors that have one, by the schedule's name."""
        schedules = (text.to_schedule(name) for name, text in self.texts().items())
        return {schedule.name: schedule for schedule in schedules if schedule is not None}
