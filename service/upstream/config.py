"""An upstream as people write it, under `upstream` of a connector, and the upstream that it means.

Errors name the member that is wrong.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field

from service.domain.addresses import AddressPolicy
from service.domain.answer_rules import AnswerRules
from service.domain.durations import SECOND_NS, parse_duration
from service.domain.sensor_template import DEFAULT_TEMPLATE, SensorTemplate, parse_template
from service.errors import InvalidParameter
from service.upstream.answer_config import AcceptText, StatusesText, answer_rules
from service.upstream.auth import NO_AUTH, Auth, ClientCertificate, HeaderAuth, UrlAuth
from service.upstream.auth_config import (
    HEADER_NAME,
    RESERVED_HEADERS,
    AuthText,
    ClientCertificateText,
    NoAuthText,
    existing_file,
)
from service.upstream.rules import DEFAULT_RULES, TOKEN_PLACE, UpstreamRules

DEFAULT_KEY_HEADER = "Idempotency-Key"
_LONGEST_TIMEOUT_S = 600
QueryText = Annotated[str, Field(max_length=2_000)]


class PayloadFormat(StrEnum):
    """The forms of a body, by the value of `payload`."""

    SENSORS = "sensors"
    THINGSBOARD = "thingsboard"
    LINE_PROTOCOL = "lineprotocol"
    NDJSON = "ndjson"


class IdempotencyText(BaseModel):
    """That a repeat is harmless, and why.

    `by` key: the upstream remembers `Idempotency-Key`, for `lifetime`. `by` upsert: a value at the same sensor and time
    replaces the one before.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    by: Literal["key", "upsert"]
    header: str = Field(DEFAULT_KEY_HEADER, pattern=HEADER_NAME)
    lifetime: str | None = None

    def to_idempotency(self) -> "Idempotency":
        if self.header.lower() in RESERVED_HEADERS:
            advice = "Name another header."
            raise InvalidParameter("idempotency.header", f"The gateway writes {self.header} itself. {advice}")
        if self.by == "upsert" and self.lifetime is not None:
            finding = "An upstream that replaces values takes repeats at any time."
            raise InvalidParameter("idempotency.lifetime", f"{finding} Leave lifetime out, or write by: key.")
        lifetime_s = None
        if self.lifetime is not None:
            lifetime_s = parse_duration(self.lifetime, "idempotency.lifetime") / SECOND_NS
        return Idempotency(self.header, True, self.by == "upsert", lifetime_s)


class UpstreamText(BaseModel):
    """What stands under `upstream`. docs/upstream.md explains every member."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: str = Field(max_length=500)
    query: dict[QueryText, QueryText] = Field(default_factory=dict, max_length=20)
    auth: AuthText = Field(default_factory=NoAuthText)
    client_certificate: ClientCertificateText | None = None
    ca_file: str | None = Field(None, min_length=1, max_length=1000)
    payload: PayloadFormat = PayloadFormat.SENSORS
    sensor: str = Field(DEFAULT_TEMPLATE, max_length=500)
    gzip: bool = Field(False, strict=True)
    idempotency: IdempotencyText | None = None
    accept: AcceptText = Field(default_factory=AcceptText)
    retry_on: StatusesText | None = None
    drop_on: StatusesText | None = None
    stop_on: StatusesText | None = None
    busy_text: str | None = Field(None, min_length=1, max_length=300)
    max_points: int = Field(10_000, ge=1, le=1_000_000)
    max_bytes: int = Field(1_000_000, ge=1_000, le=100_000_000)
    points_per_s: float | None = Field(None, gt=0, le=1e9)
    in_flight: int = Field(2, ge=1, le=16)
    timeout: str = "30s"

    def to_upstream(self, connector_name: str, rules: UpstreamRules = DEFAULT_RULES) -> "Upstream":
        """The upstream that this text means. `rules`: which addresses and variables it may name.

        Raises InvalidParameter with the name of the member, which does not begin with `upstream`.
        """
        url, auth = rules.url(self.url, "url"), self.auth.to_auth(rules)
        if isinstance(auth, UrlAuth) != (TOKEN_PLACE in url.partition("://")[2].partition("/")[2]):
            finding = f"{TOKEN_PLACE} stands in the path of url exactly when auth has the kind url."
            raise InvalidParameter("url", finding)
        statuses = {"retry_on": self.retry_on, "drop_on": self.drop_on, "stop_on": self.stop_on}
        certificate = self.client_certificate
        upstream = Upstream(
            connector_name=connector_name,
            url=url + (f"?{urlencode(self.query, quote_via=quote)}" if self.query else ""),
            auth=auth,
            client_certificate=None if certificate is None else certificate.to_certificate(rules),
            ca_file=None if self.ca_file is None else existing_file(self.ca_file, "ca_file"),
            payload=self.payload,
            sensor=parse_template(self.sensor, "sensor"),
            gzip=self.gzip,
            idempotency=Idempotency() if self.idempotency is None else self.idempotency.to_idempotency(),
            rules=answer_rules(self.accept, statuses, self.busy_text),
            max_points=self.max_points,
            max_bytes=self.max_bytes,
            points_per_s=self.points_per_s,
            in_flight=self.in_flight,
            timeout_s=_timeout_s(self.timeout),
            addresses=rules.addresses,
        )
        _refuse_contradictions(upstream)
        return upstream


@dataclass(frozen=True)
class Idempotency:
    """`declared`: repeats of the same post are harmless, within `key_lifetime_s` of the first (None: always).

    `replaces`: a value at the same sensor and time replaces the one before, so that changed values may be sent too.
    `header`: the name of the header with the key, which every post has.
    """

    header: str = DEFAULT_KEY_HEADER
    declared: bool = False
    replaces: bool = False
    key_lifetime_s: float | None = None


@dataclass(frozen=True)
class Upstream:
    """An upstream API of a connector, checked. `docs/upstream.md` says what each member means.

    `url`: the whole address, with the query, and with `{token}` where a token belongs that never shows. `max_points`:
    the most values of one batch. `max_bytes`: the most bytes of one body before it is packed.
    """

    connector_name: str
    url: str
    auth: Auth = NO_AUTH
    client_certificate: ClientCertificate | None = None
    ca_file: Path | None = None
    payload: PayloadFormat = PayloadFormat.SENSORS
    sensor: SensorTemplate = field(default_factory=lambda: parse_template(DEFAULT_TEMPLATE, "sensor"))
    gzip: bool = False
    idempotency: Idempotency = Idempotency()
    rules: AnswerRules = field(default_factory=AnswerRules)
    max_points: int = 10_000
    max_bytes: int = 1_000_000
    points_per_s: float | None = None
    in_flight: int = 2
    timeout_s: float = 30.0
    addresses: AddressPolicy = AddressPolicy.PRIVATE_TOO


def _timeout_s(text: str) -> float:
    timeout_s = parse_duration(text, "timeout") / SECOND_NS
    if timeout_s > _LONGEST_TIMEOUT_S:
        raise InvalidParameter("timeout", f"timeout={text!r} is longer than {_LONGEST_TIMEOUT_S} seconds.")
    return timeout_s


def _refuse_contradictions(upstream: Upstream) -> None:
    """Raises InvalidParameter where two members do not go together."""
    auth, header = upstream.auth, upstream.idempotency.header
    auth_header = auth.name if isinstance(auth, HeaderAuth) else "Authorization"
    if header.lower() == auth_header.lower():
        raise InvalidParameter("idempotency.header", f"The header {header} holds the credentials. Name another one.")
    items = upstream.rules.items
    if upstream.payload is PayloadFormat.LINE_PROTOCOL and items is not None and items.sensor is not None:
        finding = "Line protocol has no names of sensors that an answer could repeat. Use accept.items.index."
        raise InvalidParameter("accept.items.sensor", finding)
