"""A connector as people write it, and the connector that it means. Errors name the member that is wrong."""

import hashlib
import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from service.domain.durations import DAY_NS, HOUR_NS, SECOND_NS, parse_duration
from service.domain.moments import parse_moment
from service.domain.schedule import Schedule, parse_interval
from service.domain.sensor_template import DEFAULT_TEMPLATE
from service.errors import InvalidParameter
from service.jobs.forward.connector import Connector, Start
from service.sources.config import SourceText
from service.sources.rules import SourceRules
from service.upstream.config import Upstream, UpstreamText
from service.upstream.rules import UpstreamRules

KIND = "forward"
SCHEDULE_PREFIX = f"{KIND} "
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
_MOST_INTERVAL_NS = DAY_NS
_MOST_LOOKED_AT = 1_000_000
"""The most windows whose digests are kept for look-backs of one connector."""
_NO_TIME = "0s"
_SQL_SENSOR = "{tag.sensor}"


@dataclass(frozen=True)
class ConnectorRules:
    """What the source and the upstream of a connector may name."""

    source: SourceRules
    upstream: UpstreamRules


class ConnectorText(BaseModel):
    """A connector as people write it, under its name. docs/connector.md explains every member."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: SourceText
    upstream: UpstreamText
    every: str | None = "00:05:00"
    schedule: str | None = None
    zone: str = "UTC"
    window: str = "5m"
    settle: str = "30s"
    start: str = "now"
    look_back: str | None = None
    look_back_every: str = "15m"
    enabled: bool = Field(True, strict=True)

    def to_connector(self, name: str, rules: ConnectorRules) -> tuple[Connector, Upstream]:
        """The connector that this text means, and its upstream.

        Raises InvalidParameter with the name of the member, and without that of the connector.
        """
        refuse_name(name)
        self.to_schedule(name)
        self.source.check(rules.source)
        try:
            upstream = self._named_upstream().to_upstream(name, rules.upstream)
        except InvalidParameter as wrong:
            raise wrong.renamed(f"upstream.{wrong.parameter}") from None
        connector = Connector(
            name=name,
            window_ns=self._window_ns(),
            settle_ns=max(_settle_ns(self.settle), self.source.settle_ns(rules.source)),
            interval_ns=self._interval_ns(),
            start=_start(self.start),
            look_back_ns=self._look_back_ns(upstream),
            look_every_ns=parse_duration(self.look_back_every, "look_back_every"),
            max_points=upstream.max_points,
            in_flight=upstream.in_flight,
            keys_end=not upstream.idempotency.declared or upstream.idempotency.key_lifetime_s is not None,
            identity=self.identity(),
        )
        return connector, upstream

    def to_schedule(self, name: str) -> Schedule | None:
        """When it runs by itself; None: only on request. Raises InvalidParameter."""
        if self.schedule is not None and self.every is not None and "every" in self.model_fields_set:
            raise InvalidParameter("every", "Give either every or schedule, not both.")
        if self.schedule is None and self.every is None:
            return None
        if self.schedule is None and self.every is not None:
            parse_interval(self.every, "every")
        timing = {"cron": self.schedule, "zone": self.zone} if self.schedule else {"every": self.every}
        return Schedule(
            f"{SCHEDULE_PREFIX}{name}", KIND, {"connector": name}, enabled=self.enabled, at_start=True, **timing
        )

    def identity(self) -> str:
        """A text that changes whenever where values come from or go to is changed, in any member."""
        text = f"{self.source.model_dump_json()}\n{self.upstream.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _named_upstream(self) -> UpstreamText:
        """The upstream. The sensors of a SQL database have names, and measurement and field are the same for all."""
        is_unnamed = self.source.sql is not None and self.upstream.sensor == DEFAULT_TEMPLATE
        return self.upstream.model_copy(update={"sensor": _SQL_SENSOR}) if is_unnamed else self.upstream

    def _window_ns(self) -> int:
        window_ns = parse_duration(self.window, "window")
        if window_ns > _MOST_INTERVAL_NS:
            raise InvalidParameter("window", f"window={self.window!r} is longer than a day.")
        return window_ns

    def _interval_ns(self) -> int:
        if self.every is None or self.schedule is not None:
            return HOUR_NS
        return min(parse_interval(self.every, "every") * SECOND_NS, _MOST_INTERVAL_NS)

    def _look_back_ns(self, upstream: Upstream) -> int | None:
        if self.look_back is None:
            return None
        if not upstream.idempotency.replaces:
            raise InvalidParameter(
                "look_back",
                "look_back sends changed windows again, and this upstream is not declared to replace a value at the "
                'same sensor and time. Declare it with upstream.idempotency {"by": "upsert"}, or leave look_back out.',
            )
        look_back_ns = parse_duration(self.look_back, "look_back")
        if look_back_ns // self._window_ns() > _MOST_LOOKED_AT:
            reason = f"look_back={self.look_back!r} holds more than {_MOST_LOOKED_AT:,} windows of {self.window}"
            raise InvalidParameter("look_back", f"{reason}, each with a digest. Make it shorter, or window longer.")
        return look_back_ns


def refuse_name(name: str) -> None:
    """Raises InvalidParameter for a name that no connector can have."""
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            "name",
            f"{name[:80]!r} is no name of a connector. Use 1 to 60 letters, digits, dots, dashes and underscores.",
        )


def _settle_ns(text: str) -> int:
    return 0 if text == _NO_TIME else parse_duration(text, "settle")


def _start(text: str) -> Start:
    if text == "now":
        return "now"
    return "oldest" if text == "oldest" else parse_moment(text, "start", None, None)
