"""An upstream as people write it: each wrong member is named, secrets stay secret, an address is enough."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.config.token_variables import TokenVariables
from service.config.validation_errors import wrong_members
from service.domain.addresses import AddressPolicy
from service.errors import InvalidParameter
from service.upstream.auth import HeaderAuth
from service.upstream.config import DEFAULT_KEY_HEADER, PayloadFormat, Upstream, UpstreamText
from service.upstream.rules import UpstreamRules

URL = "https://api.example/points"
ENVIRONMENT = {"FLUXGATE_TOKEN_API": "from-the-environment", "INFLUXDB_TOKEN": "secret"}
RULES = UpstreamRules(variables=TokenVariables(environment=ENVIRONMENT))


def upstream(**members: Any) -> Upstream:
    return UpstreamText(**{"url": URL, **members}).to_upstream("plant", RULES)


def test_an_address_is_enough() -> None:
    plain = upstream()
    assert (plain.connector_name, plain.url, plain.payload) == ("plant", URL, PayloadFormat.SENSORS)
    assert (plain.max_points, plain.max_bytes, plain.in_flight, plain.timeout_s) == (10_000, 1_000_000, 2, 30.0)
    assert (plain.idempotency.header, plain.idempotency.declared) == (DEFAULT_KEY_HEADER, False)
    assert plain.rules.accept.statuses == {200, 201, 202, 204}
    assert plain.rules.retry_on == {408, 425, 429, 500, 502, 503, 504}
    assert plain.rules.stop_on == {401, 403, 404, 405}
    assert plain.rules.drop_on == {400, 422}


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://API.example:443/Points", "https://api.example/Points"),
        ("https://api.example/points/", "https://api.example/points/"),
        ("http://[::1]:80", "http://[::1]/"),
        ("http://10.0.0.7:8080/a", "http://10.0.0.7:8080/a"),
    ],
)
def test_an_address_is_sent_in_one_form_and_keeps_its_last_slash(url: str, sent: str) -> None:
    assert upstream(url=url).url == sent


def test_a_query_is_encoded() -> None:
    assert upstream(query={"bucket": "a b&c", "precision": "ns"}).url == f"{URL}?bucket=a%20b%26c&precision=ns"


WRONG_FORM: list[tuple[dict[str, Any], str]] = [
    ({"urll": "x"}, "urll"),
    ({"url": 5}, "url"),
    ({"payload": "xml"}, "payload"),
    ({"gzip": "yes"}, "gzip"),
    ({"max_points": 0}, "max_points"),
    ({"max_bytes": 10}, "max_bytes"),
    ({"points_per_s": 0}, "points_per_s"),
    ({"in_flight": 17}, "in_flight"),
    ({"auth": {"kind": "digest"}}, "auth"),
    ({"auth": "bearer"}, "auth"),
    ({"auth": {"kind": "bearer"}}, "auth"),
    ({"auth": {"kind": "bearer", "token": "a", "token_env": "FLUXGATE_TOKEN_API"}}, "auth"),
    ({"auth": {"kind": "bearer", "token": "a", "user": "b"}}, "auth.user"),
    ({"auth": {"kind": "bearer", "token_env": "A-B"}}, "auth.token_env"),
    ({"auth": {"kind": "header", "name": "a b", "token": "x"}}, "auth.name"),
    ({"auth": {"kind": "basic", "user": "a:b", "password": "x"}}, "auth.user"),
    ({"auth": {"kind": "oauth2", "url": URL, "client_id": "c"}}, "auth"),
    ({"retry_on": [100]}, "retry_on.0"),
    ({"drop_on": ["3xx"]}, "drop_on.0"),
    ({"stop_on": [True]}, "stop_on.0"),
    ({"stop_on": [301]}, "stop_on.0"),
    ({"sensor": "{field}" * 100}, "sensor"),
    ({"sensor": "\ud800{field}"}, "sensor"),
    ({"query": {"a": "\ud800"}}, "query.a"),
    ({"accept": {"statuses": [200, 302]}}, "accept.statuses.1"),
    ({"accept": {"statuses": []}}, "accept.statuses"),
    ({"accept": {"otherwise": "maybe"}}, "accept.otherwise"),
    ({"accept": {"pointer": "/ok"}}, "accept"),
    ({"accept": {"equals": 1}}, "accept"),
    ({"accept": {"items": {"pointer": "/e"}}}, "accept.items"),
    ({"accept": {"items": {"pointer": "/e", "index": "/i", "sensor": "/s"}}}, "accept.items"),
    ({"accept": {"items": {"pointer": "/e", "index": "/i", "timestamp": "/t"}}}, "accept.items"),
    ({"accept": {"items": {"pointer": "/e", "index": "/i", "first": 2}}}, "accept.items.first"),
    ({"idempotency": {"by": "magic"}}, "idempotency.by"),
    ({"idempotency": {"by": "key", "header": "a b"}}, "idempotency.header"),
    ({"client_certificate": {"cert_file": "a"}}, "client_certificate.key_file"),
]


@pytest.mark.parametrize(("members", "wrong"), WRONG_FORM)
def test_a_member_of_a_wrong_form_is_named(members: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError) as refused:
        upstream(**members)
    assert [member for member, _ in wrong_members(refused.value)] == [wrong]


SECRET = {"kind": "bearer", "token": "x"}
OAUTH = {"kind": "oauth2", "client_id": "c", "client_secret": "s"}
BY_SENSOR = {"items": {"pointer": "/e", "sensor": "/s"}}
WRONG_VALUE: list[tuple[dict[str, Any], str, str]] = [
    ({"url": "ftp://a.test"}, "url", "no address of an upstream"),
    ({"url": "https://user:pw@a.test/"}, "url", "no user or password"),
    ({"url": "https://a.test/?a=b"}, "url", "write it as members of `query`"),
    ({"url": "http://169.254.169.254/latest"}, "url", "a cloud's metadata service"),
    ({"url": "http://[fe80::1]/"}, "url", "link-local"),
    ({"url": "https://{token}.test/{token}"}, "url", "not in its host"),
    ({"url": "https://a.test/{token}"}, "url", "exactly when auth has the kind url"),
    ({"auth": {"kind": "url", "token": "a"}}, "url", "exactly when auth has the kind url"),
    ({"auth": {"kind": "bearer", "token": "a\r\nHost: b"}}, "auth.token", "cannot be sent"),
    ({"auth": {"kind": "bearer", "token": "ü"}}, "auth.token", "cannot be sent"),
    (
        {"auth": {"kind": "bearer", "token_env": "INFLUXDB_TOKEN"}},
        "auth.token_env",
        "no variable for tokens of mirrors and",
    ),
    ({"auth": {"kind": "bearer", "token_env": "FLUXGATE_TOKEN_X"}}, "auth.token_env", "not set"),
    ({"auth": {"kind": "header", "name": "Content-Length", "token": "9"}}, "auth.name", "writes the header"),
    (
        {"auth": {"kind": "oauth2", "url": "http://0.0.0.0/", "client_id": "c", "client_secret": "s"}},
        "auth.url",
        "unspec",
    ),
    ({"sensor": "{room}"}, "sensor", "which is unknown"),
    ({"sensor": "{tag.}"}, "sensor", "which is unknown"),
    ({"sensor": "plant"}, "sensor", "names nothing of the series"),
    ({"sensor": "{field"}, "sensor", "single {"),
    ({"timeout": "1"}, "timeout", "not a duration"),
    ({"timeout": "1h"}, "timeout", "longer than 600 seconds"),
    ({"drop_on": [404], "stop_on": [404]}, "stop_on", "404 stands in drop_on and in stop_on"),
    ({"retry_on": ["2xx"]}, "retry_on", "200 stands in accept.statuses and in retry_on"),
    ({"accept": {"pointer": "status", "equals": None}}, "accept.pointer", "no JSON pointer"),
    ({"accept": {"items": {"pointer": "/~2", "index": "/i"}}}, "accept.items.pointer", "no JSON pointer"),
    ({"idempotency": {"by": "key", "lifetime": "soon"}}, "idempotency.lifetime", "not a duration"),
    ({"idempotency": {"by": "upsert", "lifetime": "1d"}}, "idempotency.lifetime", "Leave lifetime out"),
    ({"idempotency": {"by": "key", "header": "Host"}}, "idempotency.header", "writes Host itself"),
    ({"idempotency": {"by": "key", "header": "authorization"}, "auth": SECRET}, "idempotency.header", "credentials"),
    ({"ca_file": "/nowhere/ca.pem"}, "ca_file", "no file that the gateway can read"),
    ({"ca_file": "/dev/zero"}, "ca_file", "no file that the gateway can read"),
    ({"ca_file": "a\0b"}, "ca_file", "no file that the gateway can read"),
    (
        {"payload": "lineprotocol", "accept": {"items": {"pointer": "/e", "sensor": "/s"}}},
        "accept.items.sensor",
        "no names",
    ),
]


@pytest.mark.parametrize(("members", "wrong", "text"), WRONG_VALUE)
def test_a_member_with_a_wrong_value_is_named_with_what_to_do(members: Any, wrong: str, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text.replace("{", r"\{")) as refused:
        upstream(**members)
    assert refused.value.parameter == wrong


def test_private_addresses_can_be_ruled_out() -> None:
    rules = UpstreamRules(AddressPolicy.PUBLIC_ONLY)
    with pytest.raises(
        InvalidParameter, match="only public addresses are allowed here \\(CONNECTOR_PRIVATE_ADDRESSES\\)"
    ):
        UpstreamText(url="http://10.0.0.7/").to_upstream("plant", rules)


def test_a_list_that_is_written_takes_its_statuses_out_of_the_defaults() -> None:
    rules = upstream(drop_on=[404, 422], retry_on=["5xx"]).rules
    assert rules.drop_on == {404, 422}
    assert rules.stop_on == {401, 403, 405}
    assert rules.retry_on == frozenset(range(500, 600))


def test_what_is_stored_means_the_same_when_it_is_read_again() -> None:
    members: dict[str, Any] = {
        "drop_on": [404],
        "accept": {"statuses": ["2xx"], "pointer": "/ok", "equals": True, "items": {"pointer": "/e", "index": "/i"}},
        "auth": {"kind": "basic", "user": "u", "password": "p"},
        "idempotency": {"by": "key", "lifetime": "24h"},
    }
    stored = UpstreamText(url=URL, **members).model_dump(mode="json")
    assert UpstreamText(**stored).to_upstream("plant", RULES) == upstream(**members)


def test_a_secret_comes_from_a_variable_and_shows_nowhere() -> None:
    made = upstream(auth={"kind": "bearer", "token_env": "FLUXGATE_TOKEN_API"})
    assert made.auth == HeaderAuth("Authorization", "Bearer from-the-environment")
    assert "from-the-environment" not in repr(made)
    with pytest.raises(ValidationError) as refused:
        upstream(auth={"kind": "bearer", "token": ["s3cret"]})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("kind", ["basic", "oauth2", "url", "header"])
def test_no_secret_shows_in_an_upstream(kind: str) -> None:
    members: dict[str, dict[str, str]] = {
        "basic": {"user": "u", "password": "s3cret"},
        "oauth2": {"url": URL, "client_id": "c", "client_secret": "s3cret"},
        "url": {"token": "s3cret"},
        "header": {"name": "X", "token": "s3cret"},
    }
    url = f"{URL}/{{token}}" if kind == "url" else URL
    assert "s3cret" not in repr(upstream(url=url, auth={"kind": kind, **members[kind]}))


def test_files_have_to_be_there_and_small(tmp_path: Path) -> None:
    large = tmp_path / "large.pem"
    large.write_bytes(b"x" * 1_000_001)
    with pytest.raises(InvalidParameter, match="of at most 1,000,000 bytes"):
        upstream(ca_file=str(large))
