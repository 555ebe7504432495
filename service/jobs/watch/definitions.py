"""The section `watches`: which series are watched, how far apart their points may be, and who is told."""

from typing import Annotated, Self
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationInfo, field_validator, model_validator

from service.config.section import Section
from service.domain.durations import parse_duration
from service.domain.schedule import parse_interval
from service.errors import InvalidParameter
from service.jobs.watch.kind_name import SECTION
from service.upstream.auth_config import AuthText, NoAuthText
from service.upstream.rules import DEFAULT_RULES, TOKEN_PLACE

MOST_WATCHES = 50
_Name = Annotated[str, Field(min_length=1, max_length=1000)]
_EXAMPLE = {
    "meters": {
        "bucket": "Power Consumption",
        "measurements": ["real_power"],
        "tags": {"site": ["Assembly"]},
        "expect": "5m",
        "webhook": {
            "url": "https://alerts.example.org/fluxgate",
            "auth": {"kind": "bearer", "token_env": "FLUXGATE_TOKEN_ALERTS"},
        },
    }
}


class WebhookText(BaseModel):
    """Where changes are posted to. `{token}` in the path of `url` is a secret that `auth` of the kind `url` has."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: str = Field(max_length=500)
    query: dict[str, Annotated[str, Field(max_length=2000)]] = Field(default_factory=dict, max_length=20)
    auth: AuthText = Field(default_factory=NoAuthText)

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        try:
            DEFAULT_RULES.url(url, "url")
        except InvalidParameter as wrong:  # pydantic adds the place, with the watch's name, to a ValueError alone
            raise ValueError(wrong.message) from None
        return url

    @model_validator(mode="after")
    def _has_its_secret(self) -> Self:
        if (self.auth.kind == "url") != (TOKEN_PLACE in self.url):
            raise ValueError(f"{TOKEN_PLACE} stands in the path of url exactly when auth has the kind url")
        return self

    def whole_url(self, checked_url: str) -> str:
        """The address with its query."""
        return checked_url + (f"?{urlencode(self.query, quote_via=quote)}" if self.query else "")


class WatchText(BaseModel):
    """The series of `bucket`, of these measurements and with one of these values of each tag.

    `expect`: the longest time between two points. `known`: a series without a point for so long is forgotten.
    `every`: how often it is looked.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    bucket: _Name
    measurements: list[_Name] = Field(default_factory=list, max_length=100)
    tags: dict[_Name, list[str]] = Field(default_factory=dict, max_length=20)
    expect: str
    known: str = "7d"
    every: str = "00:01:00"
    webhook: WebhookText | None = None
    enabled: bool = Field(True, strict=True)

    @field_validator("expect", "known", "every")
    @classmethod
    def _is_length(cls, text: str, info: ValidationInfo) -> str:
        member = str(info.field_name)
        try:
            (parse_interval if member == "every" else parse_duration)(text, member)
        except InvalidParameter as wrong:
            raise ValueError(wrong.message) from None
        return text

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.known_ns <= self.expect_ns:
            times = f"known={self.known!r} must be longer than expect={self.expect!r}"
            raise ValueError(f"{times}: a series is silent before it is forgotten")
        return self

    @property
    def expect_ns(self) -> int:
        return parse_duration(self.expect, "expect")

    @property
    def known_ns(self) -> int:
        return parse_duration(self.known, "known")


_WatchName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,60}$")]


class WatchTexts(RootModel[dict[_WatchName, WatchText]]):
    """The watches by name."""

    root: dict[_WatchName, WatchText] = Field(default_factory=dict, max_length=MOST_WATCHES)


WATCHES = Section(SECTION, WatchTexts, _EXAMPLE, "All members: docs/watching.md.")
