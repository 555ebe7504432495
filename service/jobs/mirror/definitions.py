"""A mirror as people write it, and the mirror that it means. Errors name the member that is wrong."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from service.config.validation_errors import VARIANT
from service.domain.addresses import parse_address
from service.domain.conflicts import OnConflict
from service.domain.durations import parse_duration
from service.domain.endpoint import EMBEDDED, OWN_STORE, Endpoint
from service.domain.mirror import BucketPair, Mirror
from service.domain.schedule import Schedule, parse_interval
from service.domain.selection import Fn, Windows, one_row_function
from service.errors import InvalidParameter
from service.jobs.endpoint_rules import DEFAULT_RULES, EndpointRules
from service.jobs.mirror.overlaps import refuse_impossible

KIND = "mirror"
SCHEDULE_PREFIX = f"{KIND} "
STORED = "stored"
"""The context of a validation of a mirror that was accepted and stored before."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,9})(kB|MB|GB)", re.ASCII)
_SIZES = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


class InfluxText(BaseModel):
    """An InfluxDB, with its token, or with `token_env`: the name of a variable that holds it (token_variables.py)."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: str = Field(max_length=500)
    org: str = Field(min_length=1, max_length=200)
    token: str | None = Field(None, min_length=1, max_length=1000)
    token_env: str | None = Field(None, max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str, info: ValidationInfo) -> str:
        # An address that an earlier version stored is refused where it is used, so that it stops no other mirror.
        if info.context != STORED:
            parse_address(url)
        return url

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if (self.token is None) == (self.token_env is None):
            raise ValueError("give either token, or token_env (the name of an environment variable)")
        return self


class PairText(BaseModel):
    """A bucket of the source, and its name on the target when that differs."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: str = Field(min_length=1)
    target: str | None = Field(None, min_length=1)


def _form_of_endpoint(value: object) -> str | None:
    if isinstance(value, (Mapping, InfluxText)):
        return f"{VARIANT}influxdb"
    return f"{VARIANT}own" if isinstance(value, str) else None


def _form_of_bucket(value: object) -> str | None:
    if isinstance(value, (Mapping, PairText)):
        return f"{VARIANT}pair"
    return f"{VARIANT}name" if isinstance(value, str) else None


def _form_of_buckets(value: object) -> str | None:
    return f"{VARIANT}listed" if isinstance(value, (list, tuple)) else f"{VARIANT}all" if value == "all" else None


EndpointText = Annotated[
    Annotated[InfluxText, Tag(f"{VARIANT}influxdb")] | Annotated[Literal["store", "embedded"], Tag(f"{VARIANT}own")],
    Discriminator(_form_of_endpoint, "form", "write an InfluxDB with url, org and token, or store"),
]
BucketText = Annotated[
    Annotated[str, Field(min_length=1), Tag(f"{VARIANT}name")] | Annotated[PairText, Tag(f"{VARIANT}pair")],
    Discriminator(_form_of_bucket, "form", "write a bucket's name, or source and target"),
]
BucketsText = Annotated[
    Annotated[list[BucketText], Tag(f"{VARIANT}listed")] | Annotated[Literal["all"], Tag(f"{VARIANT}all")],
    Discriminator(_form_of_buckets, "form", "write a list of buckets, or all"),
]


class MirrorText(BaseModel):
    """A mirror as people write it, under its name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: EndpointText
    target: EndpointText = "store"
    buckets: BucketsText = "all"
    measurements: list[str] = Field(default_factory=list)
    mode: Literal["raw", "downsample"] = "raw"
    every: str = "10m"
    fn: Fn = Fn.MEAN
    since: str | None = None
    history: dict[str, str] = Field(default_factory=dict)
    future: str = "130h"
    rescan: str = "7d"
    full_count: str = "1d"
    full_rescan: str = "30d"
    budget: str | None = None
    follow_deletes: bool = Field(False, strict=True)
    on_conflict: OnConflict = OnConflict.FAIL
    log_in_target: bool = Field(False, strict=True)
    schedule: str | None = "0 * * * *"
    zone: str = "UTC"
    refresh: str | None = None
    at_start: bool = Field(True, strict=True)
    enabled: bool = Field(True, strict=True)

    def to_mirror(self, name: str, own_store: Endpoint, rules: EndpointRules = DEFAULT_RULES) -> Mirror:
        """The mirror that this text means. `own_store`: the gateway's. `rules`: what source and target may be.

        Raises InvalidParameter.
        """
        refuse_name(name)
        mirror = self.parsed(name, own_store, rules)
        refuse_impossible(mirror)
        return mirror

    def parsed(self, name: str, own_store: Endpoint, rules: EndpointRules) -> Mirror:
        """The mirror, of which only the members are checked, each by itself.

        Raises InvalidParameter, which names the member but not the mirror.
        """
        self.to_schedule(name)
        history = ((pattern, parse_duration(text, f"history.{pattern}")) for pattern, text in self.history.items())
        return Mirror(
            name=name,
            source=_endpoint(self.source, own_store, rules, "source"),
            target=_endpoint(self.target, own_store, rules, "target"),
            buckets=None if self.buckets == "all" else tuple(_pair(entry) for entry in self.buckets),
            measurements=tuple(self.measurements),
            windows=self._windows(),
            since_ns=None if self.since is None else parse_duration(self.since, "since"),
            history=tuple(history),
            future_ns=parse_duration(self.future, "future"),
            rescan_ns=parse_duration(self.rescan, "rescan"),
            full_count_ns=parse_duration(self.full_count, "full_count"),
            full_rescan_ns=parse_duration(self.full_rescan, "full_rescan"),
            budget_bytes=None if self.budget is None else parse_size(self.budget, "budget"),
            follow_deletes=self.follow_deletes,
            on_conflict=self.on_conflict,
            log_in_target=self.log_in_target,
        )

    def _windows(self) -> Windows | None:
        if self.mode != "downsample":
            return None
        return Windows(parse_duration(self.every, "every"), one_row_function(self.fn, "fn"))

    def to_schedule(self, name: str) -> Schedule | None:
        """The schedule of the mirror. None: it runs only by hand. Raises InvalidParameter."""
        if self.refresh is not None:
            parse_interval(self.refresh, "refresh")
        if self.schedule is None and self.refresh is None:
            return None
        timing: dict[str, Any] = {"every": self.refresh}
        if self.refresh is None:
            timing = {"cron": self.schedule, "zone": self.zone}
        try:
            return Schedule(
                f"{SCHEDULE_PREFIX}{name}",
                KIND,
                {"mirror": name},
                enabled=self.enabled,
                at_start=self.at_start,
                **timing,
            )
        except InvalidParameter as wrong:
            if wrong.parameter != "cron":
                raise
            raise wrong.renamed("schedule") from None


def refuse_name(name: str) -> None:
    """Raises InvalidParameter where a mirror cannot have this name."""
    if not _NAME.fullmatch(name):
        advice = "Use 1 to 60 letters, digits, dots, dashes and underscores."
        raise InvalidParameter("name", f"{name!r} is no name of a mirror. {advice}")


def parse_size(text: str, parameter: str) -> int:
    """Bytes of `300MB`. Raises InvalidParameter."""
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]):
        advice = "Write a whole number and kB, MB or GB: 300MB."
        raise InvalidParameter(parameter, f"{parameter}={text!r} is no size. {advice}")
    return int(match[1]) * _SIZES[match[2]]


def _endpoint(text: InfluxText | str, own_store: Endpoint, rules: EndpointRules, role: str) -> Endpoint:
    if isinstance(text, str):
        if text != OWN_STORE and own_store.address != EMBEDDED:
            raise InvalidParameter(
                role,
                "There is no embedded store here: INFLUXDB_URL is set. "
                f"Write {OWN_STORE!r} for the gateway's own store.",
            )
        return own_store
    token = text.token
    if token is None:
        token = rules.variables.value(text.token_env or "", f"{role}.token_env", "tokens of mirrors")
    return rules.endpoint(text.url, text.org, token, f"{role}.url", f"the {role} of a mirror")


def _pair(text: str | PairText) -> BucketPair:
    return BucketPair(text, text) if isinstance(text, str) else BucketPair(text.source, text.target or text.source)
